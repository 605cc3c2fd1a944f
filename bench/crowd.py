"""Fill an empty database with an invented crowd: `python -m bench.crowd --database URL`.

A million people and five million events take about three minutes. The same arguments make the same
rows, but for their times, which end now.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from bench.people import BOT, STATES, Row, Story, telegram_id
from database import Database, bind, now, open_database
from models import AnalyticsEvent, Failure, User
from services import audit
from services.migrations import core, migrate
from staff import AuditEntry

BATCH = 20_000
FIGURES = """
date(created_at), 'event.' || event_type, COUNT(*) FROM analytics_events GROUP BY 1, 2
date(created_at), 'people', COUNT(DISTINCT user_id) FROM analytics_events GROUP BY 1
date(created_at), 'errors', COUNT(*) FROM failures GROUP BY 1
day, 'responses', SUM(value) FROM daily_figures WHERE name = 'event.message' GROUP BY 1
day, 'response_ms', value * 45 FROM daily_figures WHERE name = 'responses'
day, 'closed', 1 FROM daily_figures WHERE name = 'people' AND day < '{today}'
date('{today}'), 'users.' || status, COUNT(*) FROM users GROUP BY status
date('{today}'), 'active.day', COUNT(*) FROM users WHERE last_activity_at >= '{day}'
date('{today}'), 'active.week', COUNT(*) FROM users WHERE last_activity_at >= '{week}'
date('{today}'), 'active.month', COUNT(*) FROM users WHERE last_activity_at >= '{month}'
"""
"""What the bot counts day by day: each line gives days, names and values."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Migrate the database, fill it, and say how long that took."""
    parser = argparse.ArgumentParser("python -m bench.crowd", description=__doc__)
    parser.add_argument("--database", required=True, help="the URL of an empty database")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    database = bind(open_database(options.database))
    migrate(database, [core()])
    if User.select().exists():
        print("There are people in this database already: give an empty one.", file=sys.stderr)
        return 1
    began = time.monotonic()
    fill(database, Story(options.users, options.events, until=now(), seed=options.seed))
    print(f"{options.users:,} people, {options.events:,} events: {time.monotonic() - began:.0f} s")
    return 0


def fill(database: Database, story: Story) -> None:
    """Write every row. Indexes are made afterwards, which is faster and leaves no gaps in them."""
    with database.connection_context():
        indexes = list(_loose_indexes(database))
        for name, _ in indexes:
            database.execute_sql(f'DROP INDEX "{name}"')
        for table, columns, rows in tables(story):
            load(database, table, columns, rows)
        for sql in _figures(now()):
            database.execute_sql(sql)
        _note(story, count=min(story.users // 50, 20_000))
        for _, sql in indexes:
            database.execute_sql(sql)
        if not database.local:
            _advance_sequences(database)
            database.execute_sql("VACUUM ANALYZE")
        else:
            database.execute_sql("ANALYZE")


def tables(story: Story) -> Iterator[tuple[str, str, Iterable[Row]]]:
    """Each table with the names of its columns and its rows."""
    users = (
        "id telegram_id username first_name last_name language status role referrer_id source"
        " total_messages last_activity_at created_at updated_at"
    )
    yield (
        "bots",
        "id username name created_at updated_at",
        [(BOT, "crowd_bot", "Crowd", story.time(0), story.time(0))],
    )
    yield "users", users, story.people()
    events = "id event_type user_id data created_at updated_at"
    yield "analytics_events", events, story.happenings()
    yield "bans", "user_id reason by_id created_at updated_at", _bans(story)
    chats = "id bot_id telegram_id kind title username membership created_at updated_at"
    yield "chats", chats, _chats(story)
    failures = (
        "id bot_id update_id plugin handler error message traceback fingerprint payload user_id"
        " chat_id state created_at updated_at"
    )
    yield "failures", failures, _failures(story)
    messages = "id bot_id chat_id user_id state kind text message_id read_at created_at updated_at"
    yield "messages", messages, _messages(story)
    yield "inbox", "bot_id update_id lane kind state attempts received_at done_at", _inbox(story)


def load(database: Database, table: str, columns: str, rows: Iterable[Row]) -> None:
    """Write the rows of a table as fast as the engine takes them."""
    names, came = columns.split(), iter(rows)
    while batch := list(islice(came, BATCH)):
        if database.local:
            marks = ", ".join("?" * len(names))
            sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
            with database.atomic():
                database.connection().executemany(sql, batch)
        else:
            text = io.StringIO("".join(map(_line, batch)))
            with database.atomic():
                database.cursor().copy_from(text, table, columns=names, null="\\N")


def _line(row: Row) -> str:
    values = ["\\N" if value is None else str(value) for value in row]
    return "\t".join(values) + "\n"


def _loose_indexes(database: Database) -> Iterator[tuple[str, str]]:
    """The indexes that hold no constraint, each with the statement that makes it."""
    big = tuple(model._meta.table_name for model in (User, AnalyticsEvent, Failure))
    if database.local:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        sql += " AND sql NOT LIKE '%UNIQUE%'"
    else:
        sql = "SELECT indexname, indexdef FROM pg_indexes WHERE indexdef NOT LIKE '%%UNIQUE%%'"
        sql += " AND schemaname = current_schema()"
    sql += f" AND {'tbl_name' if database.local else 'tablename'} IN {(*big, 'users_search')}"
    yield from database.execute_sql(sql).fetchall()


def _figures(at: datetime) -> Iterator[str]:
    periods = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
    since = {name: (at - period).isoformat(" ") for name, period in periods.items()}
    for line in FIGURES.format(today=at.date(), **since).strip().splitlines():
        yield f"INSERT INTO daily_figures (day, name, value) SELECT {line}"


def _bans(story: Story) -> Iterator[Row]:
    for user in story.banned:
        at = story.time(min(user * story.step + 50, story.events))
        yield user, "spam", None, at, at


def _chats(story: Story) -> Iterator[Row]:
    for chat in range(1, min(story.users // 200, 5000) + 1):
        at = story.time(chat)
        kind = "channel" if chat % 5 == 0 else "supergroup"
        state = "left" if chat % 7 == 0 else "administrator" if chat % 2 else "member"
        title = f"{' '.join(story.random.choices(('Book', 'Chess', 'Quiz', 'Music'), k=2))} {chat}"
        yield chat, BOT, -(10**12) - chat, kind, title, f"group_{chat}", state, at, at


def _failures(story: Story) -> Iterator[Row]:
    count = min(story.users // 50, 20_000)
    for number in range(1, count + 1):
        group = story.random.randrange(60)
        user = telegram_id(1 + story.random.randrange(story.users))
        update = {"update_id": number, "message": {"text": "boom", "from": {"id": user}}}
        at = story.time(story.events * number // count)
        yield (
            *(number, BOT, number, f"plugin{group % 7}", f"handler{group}", "ValueError"),
            *(f"no such thing: {group}", "Traceback: line 1, in boom", f"{group:064x}"),
            *(json.dumps(update), user, user, ("open", "dismissed")[number % 3 == 0], at, at),
        )


def _messages(story: Story) -> Iterator[Row]:
    count = min(story.users // 10, 100_000)
    for number in range(1, count + 1):
        user = 1 + int((story.users - 1) * story.random.random() ** 4)
        at = story.time(story.events * number // count)
        state = story.random.choices(list(STATES), list(STATES.values()))[0]
        read = None if number > count - 50 else at
        text = f"Message {number} of the conversation"
        chat = telegram_id(user)
        yield number, BOT, chat, user, state, "text", text, number, read, at, at


def _inbox(story: Story) -> Iterator[Row]:
    """The ids of the last week's updates."""
    for number in range(1, min(story.events // 40, 120_000) + 1):
        at = story.time(story.events - number)
        user = telegram_id(story.who[-number])
        yield BOT, 10**6 - number, user, "message", "done", 1, at, at


def _note(story: Story, count: int) -> None:
    """Entries of the audit log, chained as they must be."""
    made: list[dict[str, Any]] = []
    previous = audit.FIRST
    for number in range(1, count + 1):
        before, after = {"status": "active"}, {"status": "banned"}
        entry = AuditEntry(
            at=story.at(story.events * number // count),
            admin_id=1,
            actor="owner",
            address="127.0.0.1",
            action=("user.ban", "user.role", "plugin.switch")[number % 3],
            target=f"user:{1 + story.random.randrange(story.users)}",
            before=before,
            after=after,
            previous=previous,
        )
        previous = entry.digest = audit.digest(entry)
        made.append({k: v for k, v in entry.__data__.items() if k != "id"})
    for start in range(0, count, 500):
        AuditEntry.insert_many(made[start : start + 500]).execute()


def _advance_sequences(database: Database) -> None:
    """What was written had its numbers already."""
    for table in ("users", "analytics_events", "chats", "failures", "messages"):
        sql = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}"
        database.execute_sql(sql)


if __name__ == "__main__":
    sys.exit(main())
