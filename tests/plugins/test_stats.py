"""The numbers of the bot, in words and in a picture."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from bot.testing import ChatKit
from models import AnalyticsEvent, Role, User
from services import analytics, users
from services.cache import Cache, MemoryStore


def picture(kit: ChatKit) -> Image.Image:
    token = kit.settings.bots[0].reveal()
    file_id = kit.alice.messages[-1]["photo"][-1]["file_id"]
    path = kit.telegram.call(token, "getFile", {"file_id": file_id}).body["result"]["file_path"]
    file = kit.telegram.file(path)
    assert file is not None
    return Image.open(io.BytesIO(file.data))


def test_the_numbers_are_those_of_the_chats(kit: ChatKit) -> None:
    """People, activity, messages, and commands by plugin with their aliases."""
    for person in (kit.bob, kit.vera):
        person.send("/note milk")
        person.send("/n bread")
        person.send("hello")
        person.send("/nothing")
    kit.alice.send("/ping")
    kit.alice.send("/stats")
    assert kit.alice.last.splitlines() == [
        "People: 3, new today: 3",
        "Active today: 3, this week: 3, this month: 3",
        "Messages: 9",
        "",
        "Commands in 30 days by plugin:",
        "notes: 4",
        "ping: 1",
        "",
        "The picture shows the messages of each day.",
    ]


def test_the_picture_shows_the_days(kit: ChatKit) -> None:
    """Today's bar stands at the right end, and reaches the top; other days have none."""
    for _ in range(3):
        kit.alice.send("/ping")
    kit.alice.send("/stats")
    image = picture(kit)
    assert (image.format, image.size) == ("PNG", (900, 420))
    bars = [
        x for x in range(image.width) if image.convert("RGB").getpixel((x, 355)) == (47, 126, 216)
    ]
    assert len(bars) > 10 and min(bars) > 820


def test_the_numbers_are_counted_once_in_five_minutes(
    kit: ChatKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often they are asked for."""
    asked: list[int] = []
    totals = analytics.totals

    def look(**at: Any) -> analytics.Totals:
        asked.append(1)
        return totals(**at)

    monkeypatch.setattr(analytics, "totals", look)
    for _ in range(3):
        kit.alice.send("/stats")
    assert len(kit.alice.texts) == 3 and len(asked) == 1


def test_two_who_ask_at_once_share_one_count() -> None:
    """The second waits for the first instead of counting too."""
    cache, made, begun = Cache(MemoryStore()), [], threading.Event()
    go_on = threading.Event()

    def make() -> int:
        made.append(1)
        begun.set()
        go_on.wait()
        return 5

    found: list[Any] = []
    ask = [threading.Thread(target=lambda: found.append(cache.remember("k", make))) for _ in "ab"]
    ask[0].start()
    begun.wait()
    ask[1].start()
    go_on.set()
    for thread in ask:
        thread.join()
    assert found == [5, 5] and made == [1]


def test_days_are_counted_apart(kit: ChatKit) -> None:
    """Each by its date, days without messages too, older ones not at all."""
    kit.bob.send("hello")
    day = timedelta(days=1)
    at = AnalyticsEvent.get(AnalyticsEvent.event_type == "message").created_at
    for back in (1, 1, 29, 30):
        AnalyticsEvent.create(event_type="command", created_at=at - back * day)
    days = analytics.by_day(30, at=at)
    assert len(days) == 30 and list(days) == sorted(days)
    assert days[str(at.date())] == 1 and days[str((at - day).date())] == 2
    assert sum(days.values()) == 4 and days[str((at - 29 * day).date())] == 1


def test_only_admins_see_them(kit: ChatKit) -> None:
    """In their language."""
    assert kit.vera.send("/stats") == ["Вам эта команда недоступна."]
    users.set_role(User.get(telegram_id=kit.vera.id), Role.ADMIN)
    kit.vera.send("/stats")
    assert kit.vera.last.startswith("Людей: 1, новых сегодня: 1\n")
