"""The soak: hours of steady work, now and then a kill, and nothing that grows."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from database import Database
from tests.chaos.supervisor import Plan, Supervisor
from tests.chaos.town import Town, kill

MINUTES = float(os.environ.get("CHAOS_MINUTES", "3"))
"""How long it lasts: CHAOS_MINUTES="120" for a night's run."""
LIVES = 3
RATE = 100
SEED = 20260503
ALLOWED = 3.0
"""MiB that memory may grow in the last life, beside one for each hour."""


def sizes(pid: int) -> tuple[float, int, int]:
    """Resident memory in MiB, open files and threads of a process."""
    process = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    resident = int(fields["VmRSS"].split()[0]) / 1024
    return resident, len(list((process / "fd").iterdir())), int(fields["Threads"])


@pytest.mark.long
def test_a_soak_loses_nothing_and_nothing_grows(town: Town, town_database: Database) -> None:
    """100 updates a second from 200 chats, two kills: memory, files and threads do not grow."""
    seconds = MINUTES * 60
    supervisor = Supervisor(town, town_database)
    plan = Plan.draw(SEED, updates=int(RATE * seconds), chats=200, kills=0)
    writer = threading.Thread(target=supervisor.write, args=(plan, RATE))
    writer.start()
    for life in range(LIVES):
        bot, seen = supervisor.start(), []
        end = time.monotonic() + seconds / LIVES
        while time.monotonic() < end and writer.is_alive():
            time.sleep(0.5)
            seen.append(sizes(bot.pid))
        if life < LIVES - 1:
            kill(bot)
            town.note_kept(town_database)
    writer.join()
    town.drain(town_database)
    warm = seen[len(seen) // 3 :]
    kill(bot)
    account = town.account()
    print(f"after the warm-up {warm[0]}, at the end {warm[-1]}: {account}")  # noqa: T201
    assert account.clean, (account, town.complaints())
    assert warm[-1][0] - warm[0][0] <= ALLOWED + MINUTES / 60, warm
    assert warm[-1][1] <= max(files for _, files, _ in seen[: len(seen) // 2]) + 2, warm
    assert warm[-1][2] <= warm[0][2] + 2, warm
