"""The facts: what this installation is made of and how full it is, a few words each."""

from __future__ import annotations

import os
import platform
import shutil
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import redis

from admin.panel import Panel
from bot.loader import sources
from database import Sqlite, current, db
from models import Lease
from services import backups, migrations
from services.audit import MASK
from settings import Secret, Settings

ROOT = Path(__file__).parent.parent
LIBRARIES = (
    *("flask", "flask-admin", "peewee", "pytelegrambotapi", "gunicorn", "werkzeug", "redis"),
    *("psycopg2-binary", "pycurl", "prometheus-client", "argon2-cffi", "cryptography"),
)
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
LITTLE = 0.05
"""The part of a disk that should be free."""


class Fact(NamedTuple):
    """A name and what is so; `tone` is good, warn, bad or empty."""

    name: str
    value: str
    tone: str = ""


def versions() -> Iterator[Fact]:
    """What runs here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield Fact("Steadygram", project["version"])
    yield Fact("Python", platform.python_version())
    for name in LIBRARIES:
        try:
            yield Fact(name, version(name))
        except PackageNotFoundError:
            yield Fact(name, "not installed", "warn")


def database(panel: Panel) -> Iterator[Fact]:
    """The engine, how much is in it, and whether it is of this release."""
    opened = current()
    if isinstance(opened, Sqlite):
        files = [opened.path.with_name(opened.path.name + end) for end in ("", "-wal")]
        size = sum(file.stat().st_size for file in files if file.exists())
        name, number = "SQLite", _one("SELECT sqlite_version()")
    else:
        size = int(_one("SELECT pg_database_size(current_database())"))
        name, number = "PostgreSQL", _one("SELECT current_setting('server_version')")
    yield Fact("Database", f"{name} {number}")
    yield Fact("Size", size_of(size))
    waiting = migrations.pending(opened, sources(panel.registry))
    todo = f"{', '.join(waiting)}: run python -m bot migrate" if waiting else "none is pending"
    yield Fact("Migrations", todo, "bad" if waiting else "good")


def cache(store: redis.Redis | None) -> Fact:
    """Whether Redis answers, where there is one."""
    if store is None:
        return Fact("Redis", "not used: REDIS_URL is not set")
    begun = time.perf_counter()
    try:
        store.ping()
    except redis.RedisError as error:
        return Fact("Redis", f"cannot be reached: {type(error).__name__}", "bad")
    return Fact("Redis", f"answers in {(time.perf_counter() - begun) * 1000:.1f} ms", "good")


def machine(settings: Settings) -> Iterator[Fact]:
    """The disk, and the processes of the panel."""
    opened = current()
    folder = opened.path.parent if isinstance(opened, Sqlite) else Path.cwd()
    disk = shutil.disk_usage(folder)
    tone = "bad" if disk.free < disk.total * LITTLE else "good"
    yield Fact("Disk free", f"{size_of(disk.free)} of {size_of(disk.total)}", tone)
    threads = f"{settings.admin_workers} workers of {settings.admin_threads} threads"
    yield Fact("Panel", threads)
    yield Fact("This worker", f"process {os.getpid()}, {threading.active_count()} threads now")
    yield Fact("Its memory", size_of(_memory()))
    yield Fact("Processors", str(os.cpu_count() or 1))


def backup(settings: Settings, at: datetime) -> Fact:
    """Which backup is the last one, and how old it is."""
    if settings.backup_folder is None:
        return Fact("Last backup", "none: set BACKUP_FOLDER", "warn")
    newest = backups.newest(settings.backup_folder)
    if newest is None:
        return Fact("Last backup", "none yet", "bad")
    hours = (at - newest) / timedelta(hours=1)
    tone = "bad" if at - newest > backups.LATE else "good"
    return Fact("Last backup", f"{newest:%Y-%m-%d %H:%M} UTC, {hours:.0f} hours ago", tone)


def leases() -> list[Lease]:
    """Who does what only one process may do."""
    return list(Lease.select().order_by(Lease.name))


def settings_of(settings: Settings) -> list[Fact]:
    """Every setting as the panel has it; of a secret only whether there is one."""
    return [Fact(field.name, _shown(getattr(settings, field.name))) for field in fields(settings)]


def _shown(value: Any) -> str:
    if isinstance(value, Secret):
        return MASK if value else "not set"
    if isinstance(value, tuple | frozenset):
        return ", ".join(_shown(one) for one in sorted(value, key=str)) or "not set"
    if value is None or value == "":
        return "not set"
    return _without_password(value) if isinstance(value, str) else str(value)


def _without_password(text: str) -> str:
    """An address without the name and password that may be in it."""
    parts = urlsplit(text)
    if parts.scheme and "@" in parts.netloc:
        return parts._replace(netloc=f"{MASK}@{parts.netloc.rpartition('@')[2]}").geturl()
    return text


def size_of(count: float) -> str:
    """A number of bytes as people say it."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.0f} {UNITS[unit]}" if unit < 2 else f"{count:.1f} {UNITS[unit]}"


def _memory() -> int:
    """Bytes of memory that this process holds; 0 where the kernel does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _one(sql: str) -> Any:
    return db.execute_sql(sql).fetchone()[0]
