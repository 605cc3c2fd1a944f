"""The disk: an update has reached it before Telegram is told that it was received."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from database import Database
from tests.chaos.town import Town, kill

CALLS = "pwrite64,write,writev,fsync,fdatasync,send,sendto,sendmsg,sendmmsg"
LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)", re.DOTALL)


def told_too_early(trace: Path, ids: Mapping[str, int]) -> list[str]:
    """The texts whose update Telegram was told of before it was safe on the disk.

    `ids` are the updates' numbers by their texts. Safe is what was written to the write-ahead log
    before a sync of that log began; it is safe when the sync has ended.
    """
    written: set[str] = set()
    syncing: dict[str, set[str]] = {}
    safe: set[str] = set()
    early: set[str] = set()
    told = 0
    for line in trace.read_text(errors="replace").splitlines():
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
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("control", ["", "no-sync"])
def test_the_commit_is_on_the_disk_before_telegram_is_told(
    town: Town, town_database: Database, strace: list[str], tmp_path: Path, control: str
) -> None:
    """The system calls say so for each of five updates; without a sync they say otherwise."""
    trace = tmp_path / "trace"
    options = [
        "-D",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-s",
        "8192",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(trace),
    ]
    for number in range(5):
        town.telegram.write(5001 + number, 0, f"steady-{number}")
    bot = town.start(*([control] if control else []), under=[*strace, *options])
    town.drain(town_database)
    kill(bot)
    wait_for_end(trace)
    sent = {update["message"]["text"]: update["update_id"] for update in town.telegram.sent}
    early = told_too_early(trace, sent)
    assert early == (sorted(sent) if control else [])
