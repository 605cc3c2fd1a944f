"""The soak: hours of steady work, now and then a kill, and nothing that grows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from database import Database
from tests.chaos.supervisor import Plan, Supervisor
from tests.chaos.town import Town, kill
from tests.together import failure

MINUTES = float(os.environ.get("CHAOS_MINUTES", "3"))
"""How long it lasts: CHAOS_MINUTES="120" for a night's run."""
RATE = 100
SEED = 20260503
ALLOWED = 3.0
"""MiB that memory may grow in the last life, beside one for each hour."""
Size: TypeAlias = tuple[float, int, int]
"""Resident memory in MiB, open files and threads."""


def sizes(pid: int) -> Size:
    """The size of a process."""
    process = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    resident = int(fields["VmRSS"].split()[0]) / 1024
    return resident, len(list((process / "fd").iterdir())), int(fields["Threads"])


def require_flat(seen: Sequence[Size], minutes: float) -> None:
    """See that after the first third nothing grew. Raises AssertionError with the sizes."""
    warm = seen[len(seen) // 3 :]
    assert warm[-1][0] - warm[0][0] <= ALLOWED + minutes / 60, warm
    assert warm[-1][1] <= max(files for _, files, _ in seen[: len(seen) // 2]) + 2, warm
    assert warm[-1][2] <= warm[0][2] + 2, warm


def soak(
    town: Town, database: Database, *, minutes: float, lives: int, control: str = ""
) -> list[Size]:
    """Steady work, a kill between two lives; the sizes of the last process. Accounts for all."""
    seconds = minutes * 60
    supervisor = Supervisor(town, database, control=control)
    plan = Plan.draw(SEED, updates=int(RATE * seconds), chats=200, kills=0)
    writer = threading.Thread(target=supervisor.write, args=(plan, RATE))
    writer.start()
    for life in range(lives):
        bot, seen = supervisor.start(), list[Size]()
        end = time.monotonic() + seconds / lives
        while time.monotonic() < end and writer.is_alive():
            time.sleep(0.5)
            seen.append(sizes(bot.pid))
        if life < lives - 1:
            kill(bot)
            town.note_kept(database)
    writer.join()
    town.drain(database)
    kill(bot)
    account = town.account()
    print(f"first {seen[0]}, at the end {seen[-1]}: {account}")  # noqa: T201
    assert account.clean, (account, town.complaints())
    return seen


@pytest.mark.long
def test_a_soak_loses_nothing_and_nothing_grows(town: Town, town_database: Database) -> None:
    """100 updates a second from 200 chats, two kills: memory, files and threads do not grow."""
    require_flat(soak(town, town_database, minutes=MINUTES, lives=3), MINUTES)


@pytest.mark.long
@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_control_a_hoarder_is_seen(town: Town, town_database: Database) -> None:
    """The soak finds a bot that keeps eight KiB of each update, within half a minute."""
    seen = soak(town, town_database, minutes=0.5, lives=1, control="hoard")
    assert isinstance(failure(lambda: require_flat(seen, 0.5)), AssertionError)


GROWTHS = {
    "nothing": "b'x'",
    "memory": "bytearray(2 << 20)",
    "files": "open('/dev/null')",
    "threads": "threading.Thread(target=gate.wait, daemon=True).start()",
}
GROW = """
import sys, threading
gate, hoard = threading.Event(), [bytearray(2 << 20)]
for _ in sys.stdin:
    hoard.append({growth})
    print(flush=True)
"""


@pytest.mark.parametrize("growth", GROWTHS)
def test_whatever_grows_is_seen(growth: str) -> None:
    """Memory, files or threads that a process does not give back are found; a calm one passes."""
    command = [sys.executable, "-c", GROW.format(growth=GROWTHS[growth])]
    seen = list[Size]()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        for _ in range(12):
            child.stdin.write(b"\n")
            child.stdin.flush()
            child.stdout.readline()
            seen.append(sizes(child.pid))
        child.stdin.close()
    if growth == "nothing":
        require_flat(seen, 1.0)
    else:
        assert isinstance(failure(lambda: require_flat(seen, 1.0)), AssertionError)
