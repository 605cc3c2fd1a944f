"""The test kit: what people do, what is seen of it, and how fast."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.testing import ChatKit, Person, View

PLAY = '''"""Show what comes."""

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("ask")
def ask(ctx: Context) -> None:
    """Ask."""
    ctx.reply("Tea?", buttons=[[("Yes", "yes"), ("Site", "https://example.org")]])


@plugin.on("callback_query", data="yes")
def yes(ctx: Context) -> None:
    ctx.edit("Tea it is.")
    ctx.answer("Fine.")


@plugin.command("poll")
def poll(ctx: Context) -> None:
    """Put a poll."""
    ctx.bot.send_poll(ctx.chat_id, "Tea or coffee?", ["Tea", "Coffee"], is_anonymous=False)


@plugin.on("poll_answer")
def voted(ctx: Context) -> None:
    ctx.bot.send_message(ctx.event.user.id, f"You chose {ctx.event.option_ids}.")


@plugin.on("message_reaction")
def reacted(ctx: Context) -> str:
    return f"Reactions: {len(ctx.event.new_reaction)}"


@plugin.on("inline_query")
def find(ctx: Context) -> None:
    from telebot.types import InlineQueryResultArticle, InputTextMessageContent

    text = InputTextMessageContent(f"It is {ctx.event.query}.")
    ctx.bot.answer_inline_query(ctx.event.id, [InlineQueryResultArticle("1", "Say it", text)])


@plugin.on("edited_message")
def edited(ctx: Context) -> str:
    return f"Now it is {ctx.text}."


@plugin.on("message", content_types=["photo", "document"])
def media(ctx: Context) -> str:
    return f"I see {ctx.text or 'no words'}."


@plugin.on("chat_member")
def moved(ctx: Context) -> None:
    status = ctx.event.new_chat_member.status
    ctx.bot.send_message(ctx.event.chat.id, f"{ctx.event.from_user.first_name}: {status}")


@plugin.on("chat_join_request")
def asked(ctx: Context) -> None:
    ctx.bot.approve_chat_join_request(ctx.event.chat.id, ctx.event.from_user.id)


@plugin.command("bill")
def bill(ctx: Context) -> None:
    """Ask for Stars."""
    from telebot.types import LabeledPrice

    prices = [LabeledPrice("Tea", 3)]
    ctx.bot.send_invoice(ctx.chat_id, "Tea", "A cup", "tea", None, "XTR", prices)


@plugin.on("pre_checkout_query")
def agreed(ctx: Context) -> None:
    ctx.bot.answer_pre_checkout_query(ctx.event.id, ok=True)


@plugin.on("message", content_types=["successful_payment"])
def paid(ctx: Context) -> str:
    return "Thank you for the Stars."


@plugin.on("message", regexp="^boom")
def boom(ctx: Context) -> None:
    raise ValueError("no number")


@plugin.on("message", last=True)
def echo(ctx: Context) -> str:
    answered = ctx.message.reply_to_message
    return f"{answered.text}: {ctx.text}" if answered else ctx.text
'''


@pytest.fixture
def plugins(tmp_path: Path) -> list[Path]:
    """One plugin that answers all that people can do."""
    (tmp_path / "play.py").write_text(PLAY)
    return [tmp_path / "play.py"]


def test_texts(bob: Person) -> None:
    """Writing, answering a message and editing give what the bot wrote since."""
    assert bob.send("Hello") == ["Hello"]
    assert bob.send("Yes", reply_to="Hello") == ["Hello: Yes"]
    assert bob.edit("No") == ["Now it is No."]
    assert (bob.last, len(bob.texts)) == ("Now it is No.", 3)


def test_buttons(bob: Person) -> None:
    """A tap gives the toast; what cannot be tapped is said with the chat."""
    bob.send("/ask")
    assert bob.buttons == ["Yes", "Site"]
    with pytest.raises(AssertionError, match="sends nothing"):
        bob.tap("Site")
    with pytest.raises(AssertionError, match=r"no button 'Milk'[^$]*Bob: /ask"):
        bob.tap("Milk")
    assert bob.tap("Yes") == "Fine." and bob.last == "Tea it is."


def test_files_votes_and_reactions(bob: Person) -> None:
    """Each reaches its handler."""
    assert bob.send_photo("the sea") == ["I see the sea."]
    assert bob.send_document("a.txt") == ["I see no words."]
    bob.react("👍")
    bob.expect("Reactions: 1")
    bob.send("/poll")
    bob.vote("Coffee")
    bob.expect("You chose [1].", exact=True)


def test_albums_bills_and_requests(bob: Person, group: View) -> None:
    """What is sent at once, paid and asked for reaches the bot too."""
    assert bob.send_album(caption="the sea") == ["I see the sea.", "I see no words."]
    bob.send("/bill")
    bob.pay()
    bob.expect("Thank you for the Stars.")
    group.make_bot("administrator")
    bob.leave(group)
    bob.ask_to_join(group)
    group.expect("Bob: member")


def test_inline(bob: Person, group: View) -> None:
    """What the bot offers can be sent into a chat."""
    assert bob.ask_inline("tea") == ["Say it"]
    assert bob.choose("Say it", to=group) == "It is tea."
    with pytest.raises(AssertionError, match="offers no 'Milk'"):
        bob.choose("Milk")


def test_comings_and_goings(dan: Person, group: View) -> None:
    """An administrator bot hears who comes, goes and rises."""
    group.make_bot("administrator")
    dan.leave(group)
    group.expect("Dan: left")
    dan.join(group)
    dan.become("administrator", group)
    assert group.last == "Dan: administrator"


def test_more_people_and_places(kit: ChatKit) -> None:
    """They are like the others."""
    zoe, club = kit.add_person("Zoe", language="ru"), kit.add_place("Club", kind="group")
    assert zoe.send("Hi") == ["Hi"]
    club.make_bot("administrator")
    zoe.join(club)
    assert zoe.send("Hi", to=club) == ["Hi"]


def test_what_is_expected(bob: Person) -> None:
    """A part, the whole or a pattern fits; what does not fails with the transcript."""
    bob.send("/ask")
    bob.tap("Yes")
    for fits in ("it is", re.compile("^Tea"), "Fine."):
        assert bob.expect(fits)
    assert bob.expect("Fine.", exact=True) == "Fine."
    with pytest.raises(AssertionError) as failed:
        bob.expect("Fin", exact=True)
    assert "'Tea it is.'\n  'Fine.'\nThe chat:\n\nBob: /ask\nbot: Tea?" in str(failed.value)
    assert "Bob taps Yes\nbot edits: Tea it is.\ntoast: Fine.\n" in str(failed.value)


def test_a_failure_is_seen(bob: Person, kit: ChatKit) -> None:
    """What a handler raised is there to be taken, once."""
    bob.send("boom")
    bob.expect("Sorry")
    assert kit.take_failures() == ["ValueError: no number"]
    assert kit.take_failures() == []


def test_waiting_takes_no_time(bob: Person, kit: ChatKit) -> None:
    """A pause, an outage and a cut are sat out on the kit's clock."""
    kit.fail("sendMessage", retry_after=300)
    kit.fail("sendMessage", code=502, times=3)
    kit.fail("sendMessage", cut="before")
    started, before = time.monotonic(), kit.clock()
    assert bob.send("Hello") == ["Hello"]
    assert (kit.clock() - before).total_seconds() > 300 and time.monotonic() - started < 30
    assert len(kit.calls("sendMessage")) == 6


def test_a_long_test_keeps_its_lease(bob: Person, kit: ChatKit) -> None:
    """However much time passes, the bot is still the one to act."""
    kit.pass_time(days=3)
    assert bob.send("Hello") == ["Hello"]


def test_there_are_no_connections(bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is connected to, whatever is sent."""
    monkeypatch.setattr(socket.socket, "connect", None)
    assert bob.send("Hello") == ["Hello"]


def test_messages_are_quick(bob: Person) -> None:
    """A hundred of them cost less of a processor than counting to ten million."""

    def counted() -> int:
        return sum(1 for _ in range(1_000_000))

    yardstick = min(cost(counted) for _ in range(3))
    messages = min(cost(lambda: [bob.send("Hello") for _ in range(100)]) for _ in range(3))
    assert messages < 10 * yardstick


def test_many_messages_do_not_slow_the_kit(bob: Person) -> None:
    """The thousandth message costs what the first ones did."""
    first = min(cost(lambda: [bob.send("Hello") for _ in range(50)]) for _ in range(3))
    for _ in range(700):
        bob.send("Hello")
    assert min(cost(lambda: [bob.send("Hello") for _ in range(50)]) for _ in range(3)) < 2 * first


def cost(work: Callable[[], object]) -> float:
    """The processor's seconds that work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started
