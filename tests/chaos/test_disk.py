"""The disk: an update has reached it before Telegram is told that it was received."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from database import Database
from tests.chaos.town import Town, kill

CALLS = "pwrite64,write,writev,fsync,fdatasync,send,sendto,sendmsg,sendmmsg"
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)", re.DOTALL)


def told_too_early(lines: Iterable[str], ids: Mapping[str, int]) -> list[str]:
    """The texts whose update Telegram was told of before it was safe on the disk.

    `ids` are the updates' numbers by their texts. Safe is what was written to the write-ahead log
    before a sync of that log began; it is safe when the sync has ended.
    """
    written: set[str] = set()
    syncing: dict[str, set[str]] = {}
    safe: set[str] = set()
    early: set[str] = set()
    told = 0
    for line in lines:
        if not (match := LINE.match(line)):
            continue
        thread, call, begun, rest = match.groups()
        if call in ("fsync", "fdatasync"):
            if begun == "(" and "-wal>" in rest:
                syncing[thread] = set(written)
            if "unfinished" not in rest and rest.endswith("= 0"):
                safe |= syncing.pop(thread, set())
        elif "-wal>" in rest:
            written |= {text for text in ids if f'{text}\\"' in rest}
        elif "getUpdates" in rest and (offset := re.search(r"offset\D{1,8}(\d+)", rest)):
            told += 1
            early |= {text for text in ids if ids[text] < int(offset[1])} - safe
    assert told, "no getUpdates with an offset is in the trace"
    return sorted(early)


def wait_for_end(trace: Path) -> None:
    """Wait until the tracer has written the end of the bot, its last line."""
    deadline = time.monotonic() + 20
    while not trace.read_text(errors="replace").rstrip().endswith("+++"):
        assert time.monotonic() < deadline, "strace does not end"
        time.sleep(0.05)


def traced(town: Town, database: Database, strace: list[str], control: str) -> list[str]:
    """The lines of a trace of a bot that handles five updates."""
    trace = town.journal.with_name("trace")
    options = ["-D", "-f", "--seccomp-bpf", "-y", "-s", "8192", "-e", f"trace={CALLS}"]
    for number in range(5):
        town.telegram.write(5001 + number, 0, f"steady-{number}")
    under = [*strace, *options, "-o", str(trace)]
    bot = town.start(*([control] if control else []), under=under)
    town.drain(database)
    kill(bot)
    wait_for_end(trace)
    lines = trace.read_text(errors="replace").splitlines()
    trace.unlink()  # what goes over the wire is in it, the token too
    return lines


@ON_SQLITE
def test_the_commit_is_on_the_disk_before_telegram_is_told(
    town: Town, town_database: Database, strace: list[str]
) -> None:
    """The system calls say so for each of five updates, and would not without the syncs."""
    lines = traced(town, town_database, strace, "")
    sent = {update["message"]["text"]: update["update_id"] for update in town.telegram.sent}
    assert told_too_early(lines, sent) == []
    assert told_too_early([line for line in lines if "sync" not in line], sent) == sorted(sent)


@pytest.mark.long
@ON_SQLITE
@pytest.mark.parametrize("control", ["no-sync", "confirm-first"])
def test_control_without_a_sync_telegram_is_told_too_early(
    town: Town, town_database: Database, strace: list[str], control: str
) -> None:
    """The harness sees a database that does not wait for its disk, and a bot that does not."""
    lines = traced(town, town_database, strace, control)
    sent = {update["message"]["text"]: update["update_id"] for update in town.telegram.sent}
    assert told_too_early(lines, sent) == sorted(sent)
