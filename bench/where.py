"""Where the time of an update goes: `python -m bench.where [postgresql]`.

The whole path of an update in one thread under cProfile, which counts CPU time. The hand-over
between threads is not in it: the difference to the CPU time that `bench.run` tells is that.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import signal
import sys
import time
from collections.abc import Callable

from bench.bots import SERVER_CORE, Bot
from bench.server import Phase, Server

UPDATES = 4000
BATCH = 16


def main(engine: str) -> int:
    """Start the bot in a process of its own, feed it, and show what it told."""
    os.sched_setaffinity(0, {SERVER_CORE})
    server = Server()
    name = "Steadygram, PostgreSQL" if engine == "postgresql" else "Steadygram, SQLite"
    bot = Bot(name, server.port, told=True)
    try:
        for count in (1000, UPDATES, UPDATES):
            server.play(Phase(count), alive=lambda: bot.alive)
            server.idle(0.5)
        while bot.alive:
            server.idle(0.2)
        print((bot.folder / "told").read_text())
    finally:
        bot.close()
        server.close()
    return 0


def measure() -> None:
    """Inside the bot's process: warm up, time, then profile."""
    from bot.logs import setup
    from bot.run import build
    from settings import load

    writer = setup("INFO", "json")
    core = build(load()).core
    seat = core.seats[0]
    seat.lease.step()
    core.lead(seat)

    def handle(count: int) -> float:
        started = time.thread_time()
        while count > 0:
            seat.lease.step()
            count -= seat.poller.step(1)
            done = 0
            while core.crew.step() or core.parts.courier.busy:
                done += 1
                core.parts.courier.receive(0)
                if done % BATCH == 0:
                    core.ledger.flush()
            core.ledger.flush()
        return time.thread_time() - started

    handle(1000)
    _tell(handle)
    seat.poller.step(1)  # confirms the last batch
    writer.stop()
    os.kill(os.getpid(), signal.SIGKILL)


def _tell(handle: Callable[[int], float]) -> None:
    plain = handle(UPDATES)
    profile = cProfile.Profile(time.thread_time)
    profile.runcall(handle, UPDATES)
    with open("told", "w") as file:  # noqa: PTH123
        file.write(f"{plain / UPDATES * 1000:.3f} ms an update without the profiler\n")
        stats = pstats.Stats(profile, stream=file)
        stats.sort_stats("tottime").print_stats(40)
        stats.sort_stats("cumtime").print_stats(80)


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        measure()
    sys.exit(main("".join(sys.argv[1:2])))
