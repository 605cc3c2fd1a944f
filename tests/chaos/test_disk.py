"""The disk: an update has reached it before Telegram is told, and little else is owed to it."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from database import LAZY, Database
from tests.chaos.town import Town, kill

CALLS = "pwrite64,write,writev,fsync,fdatasync,send,sendto,sendmsg,sendmmsg"
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
BOUND = LAZY + 2
"""Commits not on the disk: the fourth group waits for all, and a batch of updates for itself."""
HEAD = re.compile(r'-wal>, ("(?:[^"\\]|\\.)*"), 24, ')
LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)", re.DOTALL)


def calls(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Each call's thread, name, "(" where it begins, and the rest of its line."""
    return (match.groups() for line in lines if (match := LINE.match(line)))


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
    for thread, call, begun, rest in calls(lines):
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


def owed(lines: Iterable[str]) -> tuple[int, int]:
    """How many commits were not on the disk yet, at most at a time and at the end.

    The last frame of a commit has the size of the database in its head.
    """
    commits = settled = most = 0
    syncing: dict[str, int] = {}
    for thread, call, begun, rest in calls(lines):
        if call in ("fsync", "fdatasync"):
            if begun == "(" and "-wal>" in rest:
                syncing[thread] = commits
            if "unfinished" not in rest and rest.endswith("= 0"):
                settled = max(settled, syncing.pop(thread, 0))
        elif head := HEAD.search(rest):
            commits += ast.literal_eval(f"b{head[1]}")[4:8] != bytes(4)
            most = max(most, commits - settled)
    return most, commits - settled


def traced(
    town: Town, database: Database, strace: list[str], control: str, count: int = 5
) -> list[str]:
    """The lines of a trace of a bot that handles some updates, and then rests."""
    trace = town.journal.with_name("trace")
    options = ["-D", "-f", "--seccomp-bpf", "-y", "-s", "8192", "-e", f"trace={CALLS}"]
    for number in range(count):
        town.telegram.write(5001 + number, 0, f"steady-{number}")
    under = [*strace, *options, "-o", str(trace)]
    bot = town.start(*([control] if control else []), under=under)
    town.drain(database)
    time.sleep(0.5)
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


@ON_SQLITE
def test_little_is_owed_to_the_disk(town: Town, town_database: Database, strace: list[str]) -> None:
    """Three groups in a row need not wait for it, every update does; then nothing is owed."""
    lines = traced(town, town_database, strace, "", count=300)
    sent = {update["message"]["text"]: update["update_id"] for update in town.telegram.sent}
    assert told_too_early(lines, sent) == []
    most, left = owed(lines)
    assert 1 <= most <= BOUND and left == 0


@pytest.mark.long
@ON_SQLITE
def test_control_unsettled_much_is_owed_to_the_disk(
    town: Town, town_database: Database, strace: list[str]
) -> None:
    """The harness sees a database that never settles what did not wait."""
    most, _ = owed(traced(town, town_database, strace, "no-settle", count=300))
    assert most > BOUND


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
