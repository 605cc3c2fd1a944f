"""Every kind of update reaches its handler, and the context behaves sensibly there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from bot.core import kinds_of
from bot.rules import KINDS
from bot.testing import ChatKit
from sandbox.telegram import File
from tests.test_readme import PNG

HEAD = '''"""Try kinds."""
from bot import Context, Plugin
from telebot.types import InlineQueryResultArticle, InputTextMessageContent

plugin = Plugin(__name__)
seen = []


def note(ctx):
    user = ctx.user.telegram_id if ctx.user else None
    chat = ctx.chat.id if ctx.chat else None
    seen.append((ctx.kind, user, chat))
'''
HANDLERS = {
    "album": """
        @plugin.on("message", content_types=["photo", "document"])
        def picture(ctx):
            note(ctx)
            return f"{ctx.message.media_group_id is not None} {ctx.text}"
    """,
    "edit": """
        @plugin.on("edited_message")
        def edited(ctx):
            note(ctx)
            return f"Now: {ctx.text}"
    """,
    "post": """
        @plugin.on("channel_post")
        def post(ctx):
            note(ctx)
            ctx.reply(f"Seen: {ctx.text}")

        @plugin.on("edited_channel_post")
        def again(ctx):
            note(ctx)
    """,
    "members": """
        @plugin.on("chat_member")
        def member(ctx):
            note(ctx)
            new = ctx.event.new_chat_member
            ctx.reply(f"{new.user.first_name}: {new.status}")

        @plugin.on("my_chat_member")
        def me(ctx):
            note(ctx)
    """,
    "inline": """
        @plugin.on("inline_query")
        def search(ctx):
            note(ctx)
            other = InlineQueryResultArticle("x", "Other", InputTextMessageContent("other"))
            ctx.answer([("Tea", f"tea for {ctx.text}"), other], cache_time=5)

        @plugin.on("chosen_inline_result")
        def chosen(ctx):
            note(ctx)
    """,
    "poll": """
        @plugin.command("poll")
        def poll(ctx):
            "Ask."
            ctx.bot.send_poll(ctx.chat_id, "Tea?", ["yes", "no"], is_anonymous=False)

        @plugin.on("poll_answer")
        def vote(ctx):
            note(ctx)
            ctx.bot.send_message(ctx.sender.telegram_id, f"You chose {ctx.event.option_ids}")

        @plugin.on("poll")
        def state(ctx):
            note(ctx)
    """,
    "reaction": """
        @plugin.command("look")
        def look(ctx):
            "Say something to react to."
            return "Look!"

        @plugin.on("message_reaction")
        def react(ctx):
            note(ctx)
            return f"Thanks for {ctx.event.new_reaction[0].emoji}"
    """,
    "stars": """
        from telebot.types import LabeledPrice

        @plugin.command("buy")
        def buy(ctx):
            "Buy tea."
            price = [LabeledPrice("Tea", 5)]
            ctx.bot.send_invoice(ctx.chat_id, "Tea", "A cup", ctx.text, None, "XTR", price)

        @plugin.on("pre_checkout_query")
        def check(ctx):
            note(ctx)
            ctx.answer("Sold out." if ctx.event.invoice_payload == "coffee" else None)

        @plugin.on("message", content_types=["successful_payment"])
        def paid(ctx):
            note(ctx)
            payment = ctx.message.successful_payment
            return f"Paid: {payment.total_amount} {payment.currency} for {payment.invoice_payload}"
    """,
    "join": """
        @plugin.on("chat_join_request")
        def join(ctx):
            note(ctx)
            ctx.reply("Welcome!")
            ctx.bot.approve_chat_join_request(ctx.chat_id, ctx.sender.telegram_id)
    """,
    "business": """
        @plugin.on("business_connection")
        def connected(ctx):
            note(ctx)

        @plugin.on("business_message")
        def customer(ctx):
            note(ctx)
            return f"The shop is open, {ctx.sender.first_name}."
    """,
}


@pytest.fixture
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChatKit]:
    """A bot with one plugin, whose handlers the test's mark names."""
    (tmp_path / "kinds.py").write_text(HEAD + dedent(HANDLERS[request.param]))
    with ChatKit([tmp_path]) as kit:
        kit.step()
        yield kit


def seen(kit: ChatKit) -> list[tuple[str, int | None, int | None]]:
    handlers = kit.registry.plugins["kinds"].handlers
    found: list[Any] = handlers[0].func.__globals__["seen"]
    return found


def uses(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kit", [name], indirect=True, ids=[name])


@uses("album")
def test_an_album_is_a_message_for_each_picture(kit: ChatKit) -> None:
    """They come one after the other with the same media_group_id; the first has the caption."""
    pictures = [File(f"{number}.png", PNG, "image/png") for number in range(2)]
    kit.telegram.send_album(kit.bot_id, 1002, 1002, pictures, "two")
    kit.step()
    assert kit.bob.texts == ["True two", "True"]
    kit.bob.send_file("a.txt", b"a", caption="one")
    assert kit.bob.last == "False one" and seen(kit)[-1] == ("message", 1002, 1002)


@uses("edit")
def test_an_edited_message(kit: ChatKit) -> None:
    """Its sender, its chat, its new text; the reply goes to the same chat."""
    message = kit.telegram.send(kit.bot_id, 1002, 1002, text="a")
    kit.telegram.edit(kit.bot_id, 1002, 1002, message["message_id"], "b")
    kit.step()
    assert kit.bob.texts == ["Now: b"] and seen(kit) == [("edited_message", 1002, 1002)]


@uses("post")
def test_a_channel_post(kit: ChatKit) -> None:
    """Nobody is its sender; a reply is a post of the bot."""
    channel = kit.channel.id
    post = kit.telegram.post(kit.bot_id, channel, "news")
    kit.telegram.edit(kit.bot_id, channel, 1001, post["message_id"], "News")
    kit.step()
    assert kit.channel.last == "Seen: news"
    assert seen(kit) == [("channel_post", None, channel), ("edited_channel_post", None, channel)]


@uses("members")
def test_members_come_and_go(kit: ChatKit) -> None:
    """Also the bot itself; whoever did it is the user, the group is the chat."""
    group = kit.group.id
    kit.telegram.member(kit.bot_id, group, kit.bot_id, "administrator")
    kit.telegram.member(kit.bot_id, group, 1002, "left")
    kit.step()
    assert kit.group.last == "Bob: left"
    assert seen(kit) == [("my_chat_member", 1001, group), ("chat_member", 1002, group)]


@uses("inline")
def test_an_inline_query(kit: ChatKit) -> None:
    """It is answered with titles and texts, or with what telebot has; there is no chat."""
    query = kit.telegram.inline(kit.bot_id, 1002, "two")
    kit.step()
    kit.telegram.choose(kit.bot_id, 1002, 1002, query, "0")
    kit.step()
    assert kit.telegram.history(kit.bot_id, 1002)[-1]["text"] == "tea for two"
    assert seen(kit) == [("inline_query", 1002, None), ("chosen_inline_result", 1002, None)]
    assert kit.calls("answerInlineQuery")[0]["cache_time"] == "5"


@uses("poll")
def test_a_poll_answer(kit: ChatKit) -> None:
    """The voter is the user; there is no chat, since Telegram does not say where it was."""
    kit.bob.send("/poll")
    kit.telegram.vote(kit.bot_id, 1002, 1002, kit.bob.messages[-1]["message_id"], [1])
    kit.step()
    assert kit.bob.last == "You chose [1]" and ("poll_answer", 1002, None) in seen(kit)


@uses("reaction")
def test_a_reaction(kit: ChatKit) -> None:
    """Who reacted is the user; the reply goes to the chat."""
    kit.bob.send("/look")
    kit.telegram.react(kit.bot_id, 1002, 1002, kit.bob.messages[-1]["message_id"], "👍")
    kit.step()
    assert kit.bob.last == "Thanks for 👍" and seen(kit) == [("message_reaction", 1002, 1002)]


@uses("stars")
def test_a_payment_in_stars(kit: ChatKit) -> None:
    """The checkout is agreed to or refused with a reason; then the money is a message."""
    for goods in ("coffee", "tea"):
        kit.bob.send(f"/buy {goods}")
        bill = next(m for m in kit.bob.messages[::-1] if "invoice" in m)
        kit.telegram.pay(kit.bot_id, 1002, 1002, bill["message_id"])
        kit.step()
    assert kit.bob.last == "Paid: 5 XTR for tea"
    assert [kind for kind, *_ in seen(kit)] == ["pre_checkout_query"] * 2 + ["message"]
    refusals = [h["text"] for h in kit.telegram.feed(0) if h["kind"] == "refusal"]
    assert refusals == ["Sold out."]


@uses("join")
def test_a_join_request(kit: ChatKit) -> None:
    """A reply goes to the person, not to the group; telebot has the methods that let them in."""
    group = kit.group.id
    kit.telegram.member(kit.bot_id, group, kit.bot_id, "administrator")
    kit.telegram.member(kit.bot_id, group, 1004, "left")
    kit.telegram.ask_to_join(kit.bot_id, group, 1004)
    kit.step()
    assert kit.dan.texts == ["Welcome!"] and seen(kit) == [("chat_join_request", 1004, group)]
    kit.telegram.send(kit.bot_id, group, 1004, text="I am in")


@uses("business")
def test_a_business_message(kit: ChatKit) -> None:
    """The answer goes out in the name of the account's owner."""
    connection = kit.telegram.connect_business(kit.bot_id, 1001)
    kit.telegram.send_business(kit.bot_id, connection, 1002, "Open?")
    kit.step()
    answer = kit.telegram.history_business(kit.bot_id, connection, 1002)[-1]
    assert answer["text"] == "The shop is open, Bob." and answer["from"]["id"] == 1001
    assert seen(kit) == [("business_connection", 1001, None), ("business_message", 1002, 1002)]


def test_telegram_is_asked_for_what_the_plugins_listen_to(tmp_path: Path) -> None:
    """Each kind that has a handler is in allowed_updates, also those that must be asked for."""
    body = "\n".join(
        f"@plugin.on({kind!r})\ndef on_{kind}(ctx):\n{indent('pass', '    ')}\n" for kind in KINDS
    )
    (tmp_path / "kinds.py").write_text(HEAD + body)
    with ChatKit([tmp_path]) as kit:
        assert kinds_of(kit.core.seats[0].client.telebot) == sorted(KINDS)
