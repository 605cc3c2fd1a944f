"""What `doctor` looks at in the database and in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

import peewee
import psycopg2
import redis

from bot.lease import is_dead
from bot.loader import sources
from bot.probes import Finding, bad, good, note
from bot.registry import Registry
from database import Database, Sqlite, current, db
from models import Lease
from services.migrations import drift, pending
from settings import Settings

SLOW = 0.1
"""Seconds that an empty question may take."""
SKEW = 5.0
"""Seconds that two clocks may differ by."""
WAITED = 60.0
"""Seconds after which an update that waits is a sign of trouble."""
SILENT = 15.0
"""Seconds without a beat after which the holder of a lease hangs."""
OLDEST_POSTGRES = 130_000
"""The oldest that the tables are tested for, as the server numbers it."""
TIMEOUT = 3.0

P = ParamSpec("P")
AWAY = (OSError, peewee.DatabaseError, psycopg2.Error)


def asked(look: Callable[P, Iterator[Finding]]) -> Callable[P, list[Finding]]:
    """Give a look at the database a connection; when there is none, another probe says so."""

    @wraps(look)
    def ask(*args: P.args, **options: P.kwargs) -> list[Finding]:
        try:
            with current().connection_context():
                return list(look(*args, **options))
        except AWAY:
            return [
                note("It was not looked at: the database cannot be asked, or must be migrated.")
            ]

    return ask


def database(settings: Settings, at: datetime) -> Iterator[Finding]:
    """It answers, and quickly."""
    path = settings.database_file
    if path is not None and not path.is_file():
        yield bad(f"There is no file {path}: run `python -m bot migrate`.")
        return
    try:
        with current().connection_context():
            begun = time.perf_counter()
            db.execute_sql("SELECT 1").fetchone()
            took = time.perf_counter() - begun
            yield from _engine(current(), took, at)
    except AWAY as error:
        reason = str(error).partition("\n")[0]
        yield bad(f"It cannot be used ({reason}): start it, or mend DATABASE_URL.")


def _engine(opened: Database, took: float, at: datetime) -> Iterator[Finding]:
    if isinstance(opened, Sqlite):
        name = f"SQLite {_one('SELECT sqlite_version()')}"
    else:
        name = f"PostgreSQL {_one('SHOW server_version')}"
        number = int(_one("SHOW server_version_num"))
        if number < OLDEST_POSTGRES:
            yield bad(f"{name} is no longer supported: move to a newer release.")
        elif at >= (end := end_of_life(number // 10_000)):
            yield note(f"{name} is past its end of life, {end:%B %Y}: plan for a newer release.")
    said = f"{name} answers in {took * 1000:.1f} ms"
    yield good(f"{said}.") if took < SLOW else bad(f"{said}: see what loads it, or the network.")


def end_of_life(major: int) -> datetime:
    """When the makers of PostgreSQL stop mending a release: in a November, five years on."""
    return datetime(2012 + major, 11, 14)  # noqa: DTZ001  naive, as our own times


@asked
def migrations(registry: Registry) -> Iterator[Finding]:
    """The tables are those of this release and of the plugins."""
    found = sources(registry)
    if names := pending(current(), found):
        shown = ", ".join(names[:3])
        yield bad(f"{len(names)} are pending ({shown}): run `python -m bot migrate`.")
        return
    models = [model for source in found for model in source.models]
    if said := drift(current(), models):
        yield from map(bad, said)
    else:
        yield good("None is pending.")


@asked
def clock(at: Callable[[], datetime]) -> Iterator[Finding]:
    """The database's clock is ours."""
    if isinstance(current(), Sqlite):
        yield note("SQLite has no clock of its own.")
        return
    there = _one("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    yield skew("the database's", (at() - there).total_seconds())


def skew(whose: str, seconds: float) -> Finding:
    """How far this machine's clock is ahead of another one."""
    if abs(seconds) <= SKEW:
        return good(f"This clock and {whose} agree.")
    side = "ahead of" if seconds > 0 else "behind"
    return bad(
        f"This clock is {abs(seconds):.0f} s {side} {whose}: let both machines ask a time server"
        " (`timedatectl set-ntp true`)."
    )


@asked
def inbox(at: datetime) -> Iterator[Finding]:
    """No update waits long."""
    oldest = _one("SELECT MIN(received_at) FROM inbox WHERE done_at IS NULL")
    if oldest is None:
        yield good("Nothing waits.")
        return
    since = datetime.fromisoformat(oldest) if isinstance(oldest, str) else oldest
    waited = max(0.0, (at - since).total_seconds())
    said = f"The oldest update has waited for {waited:.0f} s"
    yield (
        bad(f"{said}: see which handler hangs, and whether the bot runs.")
        if waited > WAITED
        else good(f"{said}.")
    )


@asked
def pollers(settings: Settings, at: datetime) -> Iterator[Finding]:
    """One living process acts for each bot."""
    for token in settings.bots:
        bot_id = token.reveal().partition(":")[0]
        lease = Lease.get_or_none(Lease.name == f"poller:{bot_id}")
        yield _holder(bot_id, lease, at)


def _holder(bot_id: str, lease: Lease | None, at: datetime) -> Finding:
    if lease is None or not lease.owner:
        return bad(f"No process runs the bot {bot_id}: start it with `python -m bot run`.")
    host, *_, pid, _started = [*lease.owner.split("/"), "", "", ""][:4]
    who = f"process {pid} on {host}" if pid else host
    if is_dead(lease.owner):
        return bad(f"The {who}, which ran the bot {bot_id}, is gone: see its log, and start it.")
    silent = (at - lease.updated_at).total_seconds()
    if silent > SILENT:
        return bad(
            f"The {who} runs the bot {bot_id} and has not beaten its lease for {silent:.0f} s: see"
            " its log; another process takes over by itself."
        )
    return good(f"The {who} runs the bot {bot_id}.")


def cache(settings: Settings) -> Iterator[Finding]:
    """Redis answers, where it is used."""
    if settings.redis_url is None:
        yield note("It is not used: REDIS_URL is not set.")
        return
    with _redis(settings.redis_url.reveal()) as client:
        begun = time.perf_counter()
        try:
            client.ping()
        except redis.AuthenticationError:
            yield bad("It refuses the password: mend REDIS_URL.")
        except (redis.RedisError, OSError) as error:
            kind = type(error).__name__
            yield bad(f"It cannot be reached ({kind}): start it, or mend or unset REDIS_URL.")
        else:
            yield good(f"It answers in {(time.perf_counter() - begun) * 1000:.1f} ms.")


@contextmanager
def _redis(url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(
        url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None
    )
    try:
        yield client
    finally:
        client.close()


def _one(sql: str) -> Any:
    return db.execute_sql(sql).fetchone()[0]
