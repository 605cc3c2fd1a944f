"""Takeovers: where the team answers, the bot is silent, and what people write is kept for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import letters
from bot.testing import ChatKit, View
from database import Database, now
from models import AnalyticsEvent, Inbox, User
from services import messages, privacy, takeovers
from services.audit import Actor
from staff import Admin, Message, Takeover

SHOP = '''"""Listen to everything."""
from bot import Context, Plugin

plugin = Plugin(__name__)
heard = []


@plugin.command("menu")
def menu(ctx: Context) -> None:
    """Show the menu."""
    ctx.reply("What?", buttons=[[("Tea", "tea")]])


@plugin.on("callback_query", data="")
def tapped(ctx: Context) -> None:
    ctx.answer("Tapped!")


@plugin.on("message", content_types=["text", "photo", "document"], last=True)
def echo(ctx: Context) -> str:
    return f"You said {ctx.text}"


@plugin.on("edited_message")
def edited(ctx: Context) -> str:
    return "You edited"


@plugin.on("inline_query")
def search(ctx: Context) -> None:
    ctx.answer([("One", "1")])


@plugin.command("write", atomic=True)
def write(ctx: Context) -> str:
    """Write to the team, and fail when told to."""
    ctx.keep_for_team()
    return str(1 // int(ctx.text or 1))
'''


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[ChatKit]:
    """A bot that answers whatever it hears."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ChatKit([tmp_path], database=database) as kit:
        kit.bob.send("/menu")
        yield kit


def sven() -> Actor:
    """Somebody of the team."""
    admin = Admin.get_or_none(Admin.name == "Sven") or Admin.create(name="Sven")
    return Actor(admin.id, "Sven")


def take(kit: ChatKit, chat_id: int) -> None:
    """Take a chat over, as the panel does, and let the process see it."""
    takeovers.take(sven(), kit.bot_id, chat_id)
    kit.chores()


def hand_back(kit: ChatKit, chat_id: int) -> None:
    """Give it back to the bot."""
    takeovers.hand_back(sven(), kit.bot_id, chat_id)
    kit.chores()


def kept(view: View) -> list[tuple[str, str]]:
    """What the team may read of a chat: kinds and texts."""
    rows = Message.select().where(Message.chat_id == view.id, Message.state == "received")
    return [(row.kind, row.text) for row in rows.order_by(Message.id)]


def test_in_a_chat_that_was_taken_over_the_bot_is_silent(shop: ChatKit) -> None:
    """What is written there is kept with its kind; elsewhere the bot answers."""
    take(shop, shop.bob.id)
    assert shop.bob.send("/menu") == shop.bob.send("hello") == shop.bob.edit("hello again") == []
    assert shop.bob.send_photo("a cup") == shop.bob.send_document("tea.txt", caption="read") == []
    assert kept(shop.bob) == [
        *(("text", "/menu"), ("text", "hello"), ("edited", "hello again")),
        *(("photo", "a cup"), ("document", "tea.txt\nread")),
    ]
    assert shop.dan.send("hello") == ["You said hello"] and kept(shop.dan) == []


def test_a_tap_there_is_answered_without_a_word(shop: ChatKit) -> None:
    """The button does not spin, and no handler hears of it."""
    assert shop.bob.tap("Tea") == "Tapped!"
    take(shop, shop.bob.id)
    before = len(shop.calls("answerCallbackQuery"))
    assert shop.bob.tap("Tea") == ""
    assert len(shop.calls("answerCallbackQuery")) == before + 1


def test_handed_back_the_bot_answers_again(shop: ChatKit) -> None:
    """And keeps nothing more; a restart of the process changes neither."""
    take(shop, shop.bob.id)
    shop.restart()
    assert shop.bob.send("one") == []
    hand_back(shop, shop.bob.id)
    assert shop.bob.send("two") == ["You said two"]
    assert kept(shop.bob) == [("text", "one")]


def test_the_bookkeeping_is_as_ever(shop: ChatKit) -> None:
    """The message counts for the person and the statistics, and the update is done."""
    take(shop, shop.bob.id)
    before = AnalyticsEvent.select().count()
    user = User.get(User.telegram_id == shop.bob.id)
    shop.bob.send("hello")
    after = User.get(User.telegram_id == shop.bob.id)
    assert after.total_messages == user.total_messages + 1
    assert AnalyticsEvent.select().count() == before + 1
    assert {row.state for row in Inbox.select()} == {"done"}


def test_what_comes_twice_is_kept_once(shop: ChatKit) -> None:
    """A redelivered update is recognised; one whose done mark is refused leaves no message."""
    take(shop, shop.bob.id)
    shop.bob.send("hello")
    update = shop.telegram.history(shop.bot_id, shop.bob.id)[-1]
    row = Inbox.select().order_by(Inbox.update_id.desc()).get()
    again = {"update_id": row.update_id, "message": update}
    assert shop.core.inbox.accept(shop.bot_id, [again]) == []
    assert kept(shop.bob) == [("text", "hello")]


def test_a_crash_before_the_commit_neither_loses_nor_doubles(
    shop: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the message is in the transaction already, the next process keeps it once."""
    take(shop, shop.bob.id)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("bot.ledger.write", die)
        with pytest.raises(KeyboardInterrupt):
            shop.bob.send("hello")
    assert kept(shop.bob) == []
    shop.restart()
    assert kept(shop.bob) == [("text", "hello")]


def test_control_kept_at_once_it_doubles(shop: ChatKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: written when it is heard, and not with the done mark, the same crash doubles it."""
    take(shop, shop.bob.id)
    real = letters.letter

    def write_at_once(*heard: Any) -> None:
        found = real(*heard)
        assert found is not None
        messages.receive([found], now())

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("bot.letters.letter", write_at_once)
        dying.setattr("bot.ledger.Ledger.commit_group", die)
        with pytest.raises(KeyboardInterrupt):
            shop.bob.send("hello")
    shop.restart()
    assert kept(shop.bob) == [("text", "hello")] * 2


def test_nobody_else_s_chats_are_silent(shop: ChatKit) -> None:
    """Another bot's takeover of the same chat, or one of a group, is not this one's."""
    takeovers.take(sven(), shop.bot_id + 1, shop.bob.id)
    take(shop, shop.group.id)
    shop.group.make_bot("administrator")
    assert shop.bob.send("hello") == ["You said hello"]
    assert shop.bob.send("hello all", to=shop.group) == []
    assert kept(shop.group) == [("text", "hello all")] and kept(shop.bob) == []


def test_a_paused_bot_is_silent_everywhere(shop: ChatKit) -> None:
    """Private messages are kept; what a group says to itself is nobody's mail."""
    take(shop, takeovers.EVERYWHERE)
    assert shop.bob.send("hello") == shop.bob.send("hello all", to=shop.group) == []
    assert shop.dan.ask_inline("tea") == []
    assert kept(shop.bob) == [("text", "hello")] and kept(shop.group) == []
    hand_back(shop, takeovers.EVERYWHERE)
    assert shop.bob.send("hello") == ["You said hello"]


def test_the_banned_are_not_kept(shop: ChatKit) -> None:
    """Who is banned reaches nobody."""
    take(shop, shop.bob.id)
    User.update(status="banned").where(User.telegram_id == shop.bob.id).execute()
    shop.restart()
    shop.bob.send("hello")
    assert kept(shop.bob) == []


def test_a_flood_there_is_not_told_off(database: Database, tmp_path: Path) -> None:
    """The throttle would say something, and drop what the team is to read."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ChatKit([tmp_path], database=database, THROTTLE_RATE="1", THROTTLE_BURST="2") as kit:
        take(kit, kit.bob.id)
        assert [kit.bob.send(str(number)) for number in range(5)] == [[]] * 5
        assert len(kept(kit.bob)) == 5


def test_a_group_that_becomes_a_supergroup_stays_taken_over(shop: ChatKit) -> None:
    """The conversation moves with it."""
    group = shop.add_place("Tea", kind="group")
    take(shop, group.id)
    group.make_bot("administrator")
    shop.bob.send("before", to=group)
    moved = {"message_id": 900, "date": 1, "chat": {"id": group.id, "type": "group", "title": "T"}}
    shop.push({"message": moved | {"migrate_to_chat_id": -100777}})
    assert Takeover.get().chat_id == -100777
    assert [row.chat_id for row in Message.select()] == [-100777]
    assert shop.core.takeovers.silent(shop.bot_id, -100777)


def test_a_handler_that_fails_has_kept_nothing(shop: ChatKit) -> None:
    """What is for the team is an effect like any other: with the commit, or not at all."""
    shop.bob.send("/write 0")
    assert kept(shop.bob) == []
    assert shop.bob.send("/write 1") == ["1"]
    assert kept(shop.bob) == [("text", "1")]


def test_texts_that_no_database_holds_are_kept_cleaned(shop: ChatKit) -> None:
    """NUL and half letters go; the message stays."""
    take(shop, shop.bob.id)
    chat = {"id": shop.bob.id, "type": "private", "first_name": "Bob"}
    message = {"message_id": 9, "date": 1, "chat": chat, "from": shop.bob.user}
    shop.push({"message": message | {"text": "a\0b\ud800c"}})
    assert kept(shop.bob) == [("text", "ab?c")]


def test_an_erased_person_leaves_no_conversation(shop: ChatKit) -> None:
    """Nor a takeover of their chat; before that all of it is given out."""
    take(shop, shop.bob.id)
    shop.bob.send("my secret")
    user = User.get(User.telegram_id == shop.bob.id)
    for text, whose in (("We know", user), ("Lost its owner", None)):
        messages.send(bot_id=shop.bot_id, chat_id=shop.bob.id, text=text, user=whose, admin_id=None)
    held = privacy.export(shop.bob.id, {})["core"]
    assert [row["text"] for row in held["messages"]] == ["my secret", "We know"]
    assert [row["bot_id"] for row in held["takeovers"]] == [shop.bot_id]
    receipt = privacy.erase(shop.bob.id, {})
    assert (receipt.tables["messages"], receipt.tables["takeovers"]) == (3, 1)
    assert Message.select().count() == Takeover.select().count() == 0
