"""Threads: a page of conversations at a time, however many messages there are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from database import Database, now
from models import Bot, User
from services import messages, takeovers, threads
from services.audit import TERMINAL
from services.messages import Received
from staff import Message

BOT = 7


@pytest.fixture(autouse=True)
def bot(database: Database) -> None:
    """One bot."""
    Bot.create(id=BOT, username="tea_bot", name="Tea")


def hear(*chats: int) -> None:
    """Have messages come from people, in this order."""
    messages.receive([Received(BOT, chat, None, "text", f"of {chat}") for chat in chats], now())


def walk(**asked: str) -> list[list[int]]:
    """The chats of every page, page by page."""
    pages, before = [], threads.TOP
    while True:
        found = threads.newest(before=before, limit=10, **asked)
        pages.append([thread.chat_id for thread in found.threads])
        if found.older is None:
            return pages
        assert found.older < before, "the next page begins further down"
        before = found.older


def test_each_thread_is_there_once_with_its_newest_message_first() -> None:
    """Over all pages, however the messages are mixed."""
    chats = [1 + (number * 11) % 35 for number in range(300)]
    hear(*chats)
    pages = walk()
    newest = list(dict.fromkeys(reversed(chats)))
    assert [chat for page in pages for chat in page] == newest
    assert [len(page) for page in pages] == [10, 10, 10, 5]


def test_a_chat_that_floods_hides_nobody() -> None:
    """Thousands of its messages on top cost a few looks, and the rest comes on a later page."""
    hear(*range(1, 15))
    hear(*[99] * 5000)
    pages = walk()
    assert pages[0] == [99]
    assert sorted(chat for page in pages for chat in page) == [*range(1, 15), 99]


def test_the_unread_are_found_below_what_was_read() -> None:
    """Each once, and by their own newest unread message."""
    hear(1, 2, 1, 3)
    messages.mark_read(BOT, 3, 2**40)
    messages.send(bot_id=BOT, chat_id=2, text="answer", user=None, admin_id=None)
    assert walk(shown="unread") == [[1, 2]]
    assert [thread.unread for thread in threads.newest().threads] == [1, 0, 2]
    assert threads.unread() == 3 and threads.unread(limit=2) == 2


def test_the_taken_are_paged_too() -> None:
    """The latest first, without the pause of a whole bot."""
    for chat in range(1, 14):
        takeovers.take(TERMINAL, BOT, chat)
    takeovers.take(TERMINAL, BOT, takeovers.EVERYWHERE)
    assert walk(shown="taken") == [list(range(13, 3, -1)), [3, 2, 1]]


def test_a_search_goes_on_over_the_pages() -> None:
    """By name, as far down as it takes; an id is found at once, wherever it is."""
    for number in range(1, 40):
        User.create(telegram_id=number, first_name="Anna" if number % 3 else "Boris")
    hear(*range(1, 40))
    found = [chat for page in walk(words="bor") for chat in page]
    assert found == [number for number in range(39, 0, -1) if number % 3 == 0]
    hear(*[99] * 5000)
    assert threads.newest(words="17", limit=10).threads[0].chat_id == 17


def test_the_list_reads_no_whole_table(database: Database) -> None:
    """The statements for a page go by an index, on either engine."""
    hear(*[1 + number % 500 for number in range(5000)])
    Message.update(read_at=now()).where(Message.id < 4900).execute()
    if database.local:
        database.execute_sql("ANALYZE")
    else:
        database.execute_sql("ANALYZE messages")
    plans = []
    real = database.execute_sql

    def explain(sql: str, params: Any = None) -> Any:
        if "messages" in sql and sql.lstrip().startswith("SELECT"):
            prefix = "EXPLAIN QUERY PLAN " if database.local else "EXPLAIN "
            plans.append("\n".join(str(row) for row in real(prefix + sql, params).fetchall()))
        return real(sql, params)

    database.execute_sql = explain  # type: ignore[method-assign]
    try:
        threads.newest()
        threads.newest(shown="unread")
    finally:
        del database.execute_sql
    assert plans
    for plan in plans:
        assert not re.search(r"Seq Scan on messages|SCAN messages(?! USING)", plan), plan
