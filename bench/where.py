"""Where the time of an update goes: `python -m bench.where [postgresql] [--count]`.

The whole path of an update in one thread under cProfile, which counts CPU time. The hand-over
between threads is not in it: the difference to the CPU time that `bench.run` tells is that.

With `--count` valgrind's callgrind counts instructions instead. Most runs are within half a per
cent of each other, on however busy a machine; a few are up to four per cent above the rest.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.bots import SERVER_CORE, Bot
from bench.server import Phase, Server

UPDATES = 4000
BATCH = 16


RUN = """
import os, sys
os.execvp("valgrind", ["valgrind", *sys.argv[1:], "-m", "bench.where", "run", "--count"])
"""
CALLGRIND = ("--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=counted", "--quiet")


def main(engine: str, *, count: bool = False) -> int:
    """Start the bot in a process of its own, feed it, and show what it told."""
    os.sched_setaffinity(0, {SERVER_CORE})
    server = Server()
    name = "Steadygram, PostgreSQL" if engine == "postgresql" else "Steadygram, SQLite"
    command = ["-c", RUN, *CALLGRIND, sys.executable] if count else []
    bot = Bot(name, server.port, told=True, command=command)
    try:
        for updates in (1000, *[UPDATES] * (1 if count else 2)):
            server.play(Phase(updates, limit=600), alive=lambda: bot.alive)
            server.idle(0.5)
        while bot.alive:
            server.idle(0.2)
        print((bot.folder / "told").read_text())
    finally:
        bot.close()
        server.close()
    return 0


def measure(*, count: bool) -> None:
    """Inside the bot's process: warm up, time, then profile; or count instructions."""
    from bot.logs import setup
    from bot.run import build
    from settings import load

    writer = setup("INFO", "json")
    core = build(load()).core
    seat = core.seats[0]
    seat.lease.step()
    core.lead(seat)

    def handle(updates: int) -> float:
        started = time.thread_time()
        while updates > 0:
            seat.lease.step()
            updates -= seat.poller.step(1)
            done = 0
            while core.crew.step() or core.parts.courier.busy:
                done += 1
                core.parts.courier.receive(0)
                if done % BATCH == 0:
                    core.ledger.flush()
            core.ledger.flush()
        return time.thread_time() - started

    handle(1000)
    (_count if count else _tell)(handle)
    seat.poller.step(1)  # confirms the last batch
    writer.stop()
    os.kill(os.getpid(), signal.SIGKILL)


def _tell(handle: Callable[[int], float]) -> None:
    plain = handle(UPDATES)
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(handle, UPDATES)
    with Path("told").open("w") as file:
        file.write(f"{plain / UPDATES * 1000:.3f} ms an update without the profiler\n")
        stats = pstats.Stats(profile, stream=file)
        stats.sort_stats("tottime").print_stats(40)
        stats.sort_stats("cumtime").print_stats(80)


def _count(handle: Callable[[int], float]) -> None:
    def control(*words: str) -> None:
        subprocess.run(["callgrind_control", *words, str(os.getpid())], check=True)

    control("-i", "on")
    handle(UPDATES)
    control("-i", "off")
    control("-d")
    found = re.search(r"^totals: (\d+)", Path("counted.1").read_text(), re.MULTILINE)
    total = int(found[1]) if found else 0
    Path("told").write_text(f"{total / UPDATES:,.0f} instructions an update")


if __name__ == "__main__":
    options = sys.argv[1:]
    if options[:1] == ["run"]:
        measure(count="--count" in options)
    engine = "postgresql" if "postgresql" in options else "sqlite"
    sys.exit(main(engine, count="--count" in options))
