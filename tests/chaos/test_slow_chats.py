"""Slow chats: they delay nobody else, and what waits for them takes no memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import bot.core
from bot.testing import ChatKit
from database import Database
from tests.chaos.hall import Hall
from tests.chaos.post import Post, message

PLUGINS = [Path(__file__).parent / "misfits"]
THREADS = 8
ROOM = 200
SLEEPERS = range(1, THREADS)
OTHERS = range(101, 121)


@pytest.fixture
def post() -> Post:
    """Telegram in memory."""
    return Post()


@pytest.fixture
def kit(
    database: Database, post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChatKit]:
    """A bot with few threads and little room."""
    monkeypatch.setenv("CHAOS_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setattr(bot.core, "IN_MEMORY", ROOM)
    with ChatKit(PLUGINS, database=database, telegram=post, BOT_THREADS=str(THREADS)) as kit:
        yield kit


def crowd(post: Post, bed: Path, sleepers: range, behind: int) -> None:
    """Some chats sleep until the file is there, with more waiting behind; then others write."""
    for person in sleepers:
        post.queue(message(person, f"nap {bed}"))
    for number in range(behind):
        for person in sleepers:
            post.queue(message(person, str(number)))
    for number in range(3):
        for person in OTHERS:
            post.queue(message(person, str(number)))


def replies(post: Post, person: int) -> list[str]:
    return [text for chat, text in list(post.sent) if chat == str(person)]


def got(count: int) -> list[str]:
    return [f"got {number}" for number in range(count)]


def served(post: Post) -> bool:
    return all(replies(post, person) == got(3) for person in OTHERS)


SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
def test_sleeping_chats_leave_the_others_alone(kit: ChatKit, post: Post, tmp_path: Path) -> None:
    """All threads but one sleep, and more waits for their chats than memory has room for."""
    bed = tmp_path / "bed"
    crowd(post, bed, SLEEPERS, behind=32)
    with Hall(kit).open() as hall:
        hall.until(lambda: served(post))
        assert not any(replies(post, person) for person in SLEEPERS)
        bed.touch()
        whole = [f"got nap {bed}", *got(32)]
        hall.until(lambda: all(replies(post, person) == whole for person in SLEEPERS))


@SQLITE
def test_when_all_sleep_memory_stays_bounded(kit: ChatKit, post: Post, tmp_path: Path) -> None:
    """The poller waits, the rest stays at Telegram, and all is handled in order afterwards."""
    bed = tmp_path / "bed"
    crowd(post, bed, range(1, THREADS + 1), behind=3)
    for number in range(3, 30):
        for person in OTHERS:
            post.queue(message(person, str(number)))
    with Hall(kit).open() as hall:
        hall.until(kit.core.lanes.full)
        left = post.waiting()
        bed.touch()
        hall.until(lambda: all(replies(post, person) == got(30) for person in OTHERS))
    assert left > 100 and hall.most <= ROOM + 100


@SQLITE
def test_control_without_shares_a_few_chats_fill_the_room(
    kit: ChatKit, post: Post, tmp_path: Path
) -> None:
    """The test sees a bot in which what waits for sleepers keeps the others out."""
    kit.core.lanes._lane_limit = 2**31
    bed = tmp_path / "bed"
    crowd(post, bed, SLEEPERS, behind=32)
    with Hall(kit).open() as hall:
        with pytest.raises(AssertionError):
            hall.until(lambda: served(post), seconds=1.0)
        bed.touch()
