"""Notices: messages that are no answers, sent when and if the person wants them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.client import Held
from bot.testing import ChatKit
from database import Database, now
from models import AnalyticsEvent, Notice, Status, User
from services import notices, preferences

SHOP = '''"""Sell things."""
from bot import Context, Plugin

plugin = Plugin(__name__)
news = plugin.category("news", "News of the shop")


@plugin.command("tell")
def tell(ctx: Context) -> str:
    """Tell somebody."""
    who, _, text = ctx.text.partition(" ")
    return str(ctx.notify(int(who), text, category="news", buttons=[[("Look", "look")]]))


@plugin.command("sell", atomic=True)
def sell(ctx: Context) -> str:
    """Sell, and fail when told to."""
    plugin.notify(ctx.sender, "Sold.", category=news)
    return str(1 // int(ctx.text or 1))


@plugin.command("typo")
def typo(ctx: Context) -> None:
    """Name a category that nobody declared."""
    ctx.notify(ctx.sender, "x", category="gnus")
'''


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[ChatKit]:
    """A bot with a plugin that has news."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ChatKit([tmp_path], database=database) as kit:
        kit.bob.send("/help")
        kit.dan.send("/help")
        yield kit


def bob() -> User:
    return User.get(User.telegram_id == 1002)


def quiet(kit: ChatKit, *, for_hours: int = 2) -> None:
    """Let Bob's quiet hours have begun an hour ago."""
    local = kit.clock().astimezone(preferences.zone_of(bob()))
    minute = local.hour * 60 + local.minute
    preferences.set_quiet(bob(), (minute - 60) % 1440, (minute + 60 * for_hours) % 1440)


def test_a_notice_is_sent_at_once(shop: ChatKit) -> None:
    """To somebody else's chat, with buttons of the plugin; then it is forgotten."""
    assert shop.dan.send("/tell 1002 New tea!") == ["True"]
    assert (shop.bob.last, shop.bob.buttons) == ("New tea!", ["Look"])
    assert Notice.select().count() == 0


def test_strangers_are_not_written_to(shop: ChatKit) -> None:
    """The plugin learns that the bot has never met them."""
    assert shop.dan.send("/tell 1003 Hello") == ["False"]


def test_a_category_that_is_off_is_not_sent(shop: ChatKit) -> None:
    """To the one who chose so, and again once it is wanted."""
    preferences.set_wanted(bob(), "shop.news", False)
    shop.dan.send("/tell 1002 one")
    shop.dan.send("/tell 1004 two")
    assert shop.bob.texts == [] and "two" in shop.dan.texts
    preferences.set_wanted(bob(), "shop.news", True)
    shop.dan.send("/tell 1002 three")
    assert shop.bob.texts == ["three"]


def test_a_notice_waits_for_the_end_of_the_quiet_hours(shop: ChatKit) -> None:
    """Over a kill of the process; answers come at any time."""
    quiet(shop)
    shop.dan.send("/tell 1002 News")
    assert shop.bob.texts == []
    assert shop.bob.send("/tell 1004 x") == ["True"]
    shop.restart()
    shop.pass_time(hours=1)
    shop.step()
    assert shop.bob.texts == ["True"]
    shop.pass_time(hours=1)
    shop.step()
    assert shop.bob.last == "News"


def test_who_ends_the_quiet_hours_gets_what_waited(shop: ChatKit) -> None:
    """At once, and in order; what was planned for later stays planned."""
    quiet(shop)
    for text in ("one", "two"):
        shop.dan.send(f"/tell 1002 {text}")
    notices.notify(bob(), "later", category="shop.news", at=now() + timedelta(minutes=30))
    preferences.set_quiet(bob(), None, None)
    shop.step()
    assert shop.bob.texts == ["one", "two"]
    shop.pass_time(minutes=31)
    shop.step()
    assert shop.bob.last == "later"


def test_a_notice_of_an_atomic_handler_is_sent_only_when_it_commits(shop: ChatKit) -> None:
    """A handler that raises has told nobody anything."""
    shop.bob.send("/sell 0")
    assert Notice.select().count() == 0 and "Sold." not in shop.bob.texts
    shop.bob.send("/sell")
    assert shop.bob.texts[-2:] == ["1", "Sold."]


def test_a_category_that_nobody_declared_is_refused(shop: ChatKit) -> None:
    """With a sentence for the author, in the log and the failures."""
    assert "went wrong" in shop.bob.send("/typo")[0]


def test_who_has_blocked_the_bot_is_not_written_to(shop: ChatKit) -> None:
    """The first refusal marks them, the rest is dropped without a call."""
    shop.telegram.fail("403", "sendMessage", chat_id=1002)
    for text in ("one", "two"):
        notices.notify(bob(), text, category="shop.news")
    shop.step()
    assert bob().status == Status.BLOCKED and Notice.select().count() == 0
    assert len([c for c in shop.calls("sendMessage") if c["chat_id"] == "1002"]) == 1
    assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "user_blocked").count() == 1


def test_a_notice_survives_an_outage_of_telegram(shop: ChatKit) -> None:
    """Whatever Telegram answers meanwhile, it arrives; one that is wrong is dropped."""
    for fault in ("502", "cut_before", "429"):
        shop.telegram.fail(fault, "sendMessage", chat_id=1002, times=1, value=1)
        notices.notify(bob(), fault, category="shop.news")
        shop.step()
        while Notice.select().count():
            shop.pass_time(seconds=30)
            shop.step()
    assert shop.bob.texts == ["502", "cut_before", "429"]
    notices.notify(bob(), "<wrong", category="shop.news", parse_mode="HTML")
    shop.step()
    assert Notice.select().count() == 0


@pytest.mark.parametrize(
    ("fault", "first", "doubts"), [("502", 1, 1), ("cut_before", 1, None), ("cut_after", 2, 1)]
)
def test_a_doubtful_notice_is_counted_and_holds_the_next(
    shop: ChatKit, fault: str, first: int, doubts: int | None
) -> None:
    """What a person is sent comes in order, and nothing comes twice that is not counted."""
    shop.telegram.fail(fault, "sendMessage", chat_id=1002, times=1)
    notices.notify(bob(), "one", category="shop.news")
    notices.notify(bob(), "two", category="shop.news")
    shop.step()
    notices.notify(bob(), "three", category="shop.news")
    shop.step()
    while Notice.select().count():
        shop.pass_time(seconds=30)
        shop.step()
    assert shop.bob.texts == ["one"] * first + ["two", "three"]
    registry = shop.core.parts.metrics.registry
    labels = {"method": "sendMessage"}
    assert registry.get_sample_value("bot_sends_ambiguous_total", labels) == doubts


def test_a_kill_between_sending_and_noting_sends_it_again(
    shop: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: nothing is lost, and only the one that was on its way comes twice."""
    for who in (1002, 1004):
        notices.notify(who, "News", category="shop.news")
    with monkeypatch.context() as dying:
        dying.setattr(notices, "drop", _die)
        with pytest.raises(KeyboardInterrupt):
            shop.step()
    shop.restart()
    assert (shop.bob.texts, shop.dan.texts) == (["News"] * 2, ["News"])


def _die(_notice: Notice) -> None:
    raise KeyboardInterrupt


def test_a_long_notice_is_several_messages(shop: ChatKit) -> None:
    """The buttons are under the last; a kill in between does not send the first again."""
    shop.dan.send("/tell 1002 " + "word " * 800)
    notices.notify(bob(), "<b>" + "x" * 5000 + "</b>", category="shop.news", parse_mode="HTML")
    shop.step()
    assert [len(text) for text in shop.bob.texts] == [3999, 4096, 904]
    assert shop.bob.messages[-1]["entities"] == [{"offset": 0, "length": 904, "type": "bold"}]


def test_answers_go_first(database: Database, tmp_path: Path) -> None:
    """A notice takes no place in the queue of those who wait: it is offered, and comes again."""
    (tmp_path / "shop.py").write_text(SHOP)
    with ChatKit([tmp_path], database=database, SEND_RATE_CHAT="1") as kit:
        kit.bob.send("/help")
        client = kit.core.seats[0].client
        reply = client._limits.turn("sendMessage", "1002")
        with pytest.raises(Held):
            client.offer("sendMessage", {"chat_id": 1002, "text": "News"})
        assert reply is not None and reply.go()
        reply.leave()
        assert kit.calls("sendMessage") == []


@pytest.mark.parametrize(
    ("at", "zone", "hours", "end"),
    [
        ("2025-06-01 21:30", "Europe/Berlin", (22, 7), "2025-06-02 05:00"),
        ("2025-06-02 04:59", "Europe/Berlin", (22, 7), "2025-06-02 05:00"),
        ("2025-06-02 05:00", "Europe/Berlin", (22, 7), None),
        ("2025-06-01 19:59", "Europe/Berlin", (22, 7), None),
        ("2025-03-29 23:00", "Europe/Berlin", (23, 7), "2025-03-30 05:00"),
        ("2025-10-25 22:00", "Europe/Berlin", (23, 7), "2025-10-26 06:00"),
        ("2025-03-30 00:30", "Europe/Berlin", (1, 2.5), "2025-03-30 01:30"),
        ("2025-10-26 00:15", "Europe/Berlin", (1, 2.5), "2025-10-26 00:30"),
        ("2025-10-26 01:15", "Europe/Berlin", (1, 2.5), "2025-10-26 01:30"),
        ("2025-06-01 12:00", "UTC+05:30", (17, 18), "2025-06-01 12:30"),
        ("2025-06-01 12:00", "UTC-03:30", (8, 9), "2025-06-01 12:30"),
        ("2025-06-01 12:00", None, (13, 13), None),
    ],
)
def test_when_quiet_hours_end(
    at: str, zone: str | None, hours: tuple[float, float], end: str | None, database: Database
) -> None:
    """By the wall clock of the person's place, also in the nights when it is changed."""
    user = User.create(telegram_id=1, first_name="A")
    if zone:
        assert preferences.set_zone(user, zone)
    preferences.set_quiet(user, int(hours[0] * 60), int(hours[1] * 60))
    found = preferences.quiet_end(preferences.of(user), datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(end) if end else None)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Нью-Йорк", "America/New_York"),
        ("europe/rome", "Europe/Rome"),
        ("Петропавловск-Камчатский", "Asia/Kamchatka"),
        ("+3", "UTC+03:00"),
        ("utc -3:30", "UTC-03:30"),
        ("5:45", "UTC+05:45"),
        ("UTC", "UTC"),
        ("+15", None),
        ("Atlantis", None),
        ("", None),
    ],
)
def test_a_time_zone_is_found_by_words(said: str, name: str | None, database: Database) -> None:
    """By a city in either language, a name of the database, or an offset."""
    user = User.create(telegram_id=1, first_name="A")
    assert preferences.set_zone(user, said) == name
    assert preferences.of(user).time_zone == name


def test_quiet_hours_are_times_of_the_day(database: Database) -> None:
    """Both or none."""
    user = User.create(telegram_id=1, first_name="A")
    for wrong in ((1, None), (0, 1440), (-1, 5)):
        with pytest.raises(ValueError, match="no quiet hours"):
            preferences.set_quiet(user, *wrong)
