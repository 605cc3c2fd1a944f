"""What `doctor` looks at on this machine: versions, the disk, the ports, the backups."""

from __future__ import annotations

import http.client
import platform
import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from bot.gauges import place
from bot.probes import Finding, bad, good, note
from bot.start import check_port
from services import backups
from settings import VERSION, Settings, SettingsError

PINNED = Path(__file__).parent.parent / "requirements.txt"
PYTHON = (3, 11)
SQLITE = (3, 35)
LITTLE = 0.05
"""The share of a disk that should be free."""
PATIENCE = 3.0
WHERE = "127.0.0.1"
BOT = re.compile(r"^bot_", re.MULTILINE)
PANEL = re.compile(r"^panel_|\A\Z", re.MULTILINE)
"""What metrics of ours begin with; everybody's, such as Prometheus's own, answer with 200 too.

The panel has none before its first visitor.
"""
ALIVE = re.compile(r"\Aok\n\Z")
PAGE = re.compile("<title>Sandbox</title>")
NEVER = re.compile("(?!)")
"""Found in no answer: nothing of ours answers there."""


def versions() -> Iterator[Finding]:
    """Python and SQLite are new enough."""
    running = platform.python_version_tuple()[:2]
    ours = f"Steadygram {VERSION}, Python {platform.python_version()}"
    yield note(f"{ours}, SQLite {sqlite3.sqlite_version}")
    if tuple(map(int, running)) < PYTHON:
        yield bad("Python is too old: install 3.11 or newer, and make the environment anew.")
    if sqlite3.sqlite_version_info < SQLITE:
        yield bad("SQLite is too old: install 3.35 or newer, or use PostgreSQL.")


def libraries(pinned: Path = PINNED) -> Iterator[Finding]:
    """What is installed is what was tested."""
    if not pinned.exists():
        yield note(f"{pinned.name} is not there to compare with.")
        return
    wrong = []
    for name, wanted in pins(pinned).items():
        try:
            there = version(name)
        except PackageNotFoundError:
            there = "none"
        if there != wanted:
            wrong.append(f"{name} {wanted} ({there} is installed)")
    if wrong:
        yield bad(
            f"Other libraries than were tested, such as {', '.join(wrong[:3])}: run"
            f" `python -m pip install --require-hashes -r {pinned.name}`."
        )
    else:
        yield good("All are of the pinned versions.")


def pins(path: Path) -> dict[str, str]:
    """The versions that a file of requirements names for this machine."""
    found = {}
    for line in re.findall(r"^([\w.-]+(?:\[.*?\])?==[^\\\n]+)", path.read_text(), re.MULTILINE):
        wanted = Requirement(line.strip())
        if wanted.marker is None or wanted.marker.evaluate():
            found[wanted.name] = next(iter(wanted.specifier)).version
    return found


def disk(settings: Settings) -> Iterator[Finding]:
    """There is room for the data, and for the backups."""
    folders = [place(settings), *([settings.backup_folder] if settings.backup_folder else [])]
    disks = {folder.stat().st_dev: folder for folder in reversed(folders) if folder.is_dir()}
    for folder in disks.values():
        usage = shutil.disk_usage(folder)
        share = usage.free / (usage.used + usage.free)
        said = f"{share:.0%} ({usage.free / 2**30:.1f} GiB) is free for {folder.resolve()}"
        yield (
            bad(f"Only {said}: delete what is not needed, or use a larger disk.")
            if share < LITTLE
            else good(f"{said}.")
        )


def ports(settings: Settings) -> Iterator[Finding]:
    """Each port is ours, or free."""
    wanted = [
        ("METRICS_PORT", settings.metrics_port, "/metrics", BOT),
        ("ADMIN_PORT", settings.admin_port, "/healthz", ALIVE),
        ("ADMIN_METRICS_PORT", settings.admin_metrics_port, "/metrics", PANEL),
    ]
    if settings.sandbox:
        wanted.append(("SANDBOX_PORT", settings.sandbox_port, "/", PAGE))
    if settings.mode == "webhook":  # in which this release runs nothing yet
        wanted.append(("WEBHOOK_PORT", settings.webhook_port, "/", NEVER))
    for name, port, path, mark in wanted:
        try:
            check_port(name, port, host=WHERE)
        except SettingsError as error:
            if answers(port, path, mark) is not None:
                yield good(f"{name} {port} answers.")
            else:
                yield bad(f"{error}")
        else:
            yield note(f"{name} {port} is free: nothing of ours is started there.")


def answers(port: int, path: str, mark: re.Pattern[str]) -> str | None:
    """What a program of ours says there; None when none answers, or one without our mark."""
    status, text = ask(port, path)
    return text if status == 200 and mark.search(text) else None


def ask(port: int, path: str) -> tuple[int, str]:
    """What a server on this machine answers: status and text; (0, "") when none does."""
    connection = http.client.HTTPConnection(WHERE, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def last_backup(settings: Settings, at: datetime) -> Iterator[Finding]:
    """One was made within the last day."""
    folder = settings.backup_folder
    if folder is None:
        yield note("No backups are made: set BACKUP_FOLDER to a folder on another disk.")
        return
    newest = backups.newest(folder)
    if newest is None:
        yield bad(
            f"There is none in {folder}: run `python -m bot backup FILE` and see what it says."
        )
        return
    hours = (at - newest) / timedelta(hours=1)
    said = f"The last one is of {newest:%Y-%m-%d %H:%M} UTC, {hours:.0f} hours old"
    yield (
        bad(f"{said}: see in the bot's log why no new one came.")
        if at - newest > backups.LATE
        else good(f"{said}.")
    )
