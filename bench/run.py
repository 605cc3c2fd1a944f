"""Measure Steadygram beside the bare echo bots of two libraries: `make bench`.

Each bot has one core, the fake Telegram the other. The bots take turns over several rounds in one
run; what is told is medians, and ratios within a turn of the floods.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from bench import bots, page
from bench.bots import BOT_CORE, ENGINES, NAMES, PEERS, SERVER_CORE
from bench.floods import Flood, standing
from bench.floods import run as flood
from bench.server import Phase

DELAYS = (0.0, 0.05)


@dataclass(slots=True)
class Trial:
    """What one bot did in one round."""

    first_reply: float
    memory: float = 0.0
    latencies: list[list[float]] = field(default_factory=list)
    """p50, p95 and p99 in milliseconds for each of DELAYS; empty when the bot fell behind."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write them down."""
    options = parser().parse_args(arguments)
    names = [name for name in NAMES if not options.only or options.only.lower() in name.lower()]
    if not bots.has_postgres():
        names = [name for name in names if ENGINES.get(name) != "postgresql"]
        print("PostgreSQL does not answer: it is left out (set TEST_DATABASE_URL).")
    os.sched_setaffinity(0, {SERVER_CORE})
    gc.disable()
    trials: dict[str, list[Trial]] = {name: [] for name in names}
    for number in range(options.rounds):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            trials[name].append(trial(name, options))
            print(f"round {number + 1}: {name}: {trials[name][-1]}", flush=True)
            gc.collect()
    floods = flood(names, turns=options.turns, updates=options.updates, chats=options.chats)
    text = "\n".join([*about(options), "", *table(trials, floods), "", *ratios(floods)])
    print(f"\n{text}")
    if not options.only and options.write:
        page.write("measured", text)
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser("python -m bench.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the latencies")
    parser.add_argument("--turns", type=int, default=15, help="of the floods")
    parser.add_argument("--updates", type=int, default=5000, help="how many a flood has")
    parser.add_argument("--chats", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long 100 a second last")
    parser.add_argument("--only", default="", help="a part of a bot's name; writes nothing down")
    parser.add_argument("--no-write", dest="write", action="store_false")
    return parser


def trial(name: str, options: argparse.Namespace) -> Trial:
    """Start one bot, measure it, and end it."""
    with standing(name, options.chats) as stand:
        started = time.monotonic()
        result = Trial(min(stand.play(1).replied.values()) - started)
        stand.bot.pin_database()
        for count in (options.chats, options.updates):
            stand.play(count)
        stand.server.idle(0.3)
        for delay in DELAYS:
            count = int(100 * options.seconds)
            phase = Phase(count, rate=100.0, delay=delay, limit=options.seconds + 2)
            result.latencies.append(_percentiles(stand.offer(phase)))
            stand.server.idle(0.2)
        result.memory = stand.bot.memory()
    return result


def _percentiles(phase: Phase) -> list[float]:
    if len(phase.replied) < phase.count or phase.doubled:
        return []
    sizes = phase.latencies
    return [1000 * sizes[int(len(sizes) * share)] for share in (0.5, 0.95, 0.99)]


def about(options: argparse.Namespace) -> list[str]:
    """Where and how it was measured."""
    libraries = ", ".join(f"{name} {version(name)}" for name in PEERS)
    load = os.getloadavg()[0]
    return [
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, Python {platform.python_version()},"
        f" {libraries}, {os.cpu_count()} cores shared with other work (load {load:.1f}),"
        f" {options.rounds} rounds and {options.turns} floods of {options.updates} updates from"
        f" {options.chats} chats"
        + ("" if BOT_CORE != SERVER_CORE else "; ONE CORE FOR ALL: worthless")
        + "."
    ]


def table(trials: dict[str, list[Trial]], floods: dict[str, list[Flood]]) -> list[str]:
    """One line a bot, medians."""
    lines = [
        (
            "| bot | updates/s | CPU ms an update | 100/s: p50 / p95 / p99 ms |"
            " the same, 50 ms a send | RSS MiB | first reply s | server busy |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, runs in trials.items():
        lines.append(
            f"| {name} | {_median([flood.speed for flood in floods[name]]):,.0f}"
            f" | {_median([flood.cpu_ms for flood in floods[name]]):.3f}"
            f" | {_latency(runs, 0)} | {_latency(runs, 1)}"
            f" | {_median([run.memory for run in runs]):.0f}"
            f" | {_median([run.first_reply for run in runs]):.2f}"
            f" | {_median([flood.busy for flood in floods[name]]):.0%} |"
        )
    return lines


def ratios(floods: dict[str, list[Flood]]) -> list[str]:
    """Steadygram to each peer: the median of the ratios within a turn, and what half are in."""
    lines = ["| ratio | updates/s | middle half | all | CPU time |", "|---|---:|---:|---:|---:|"]
    for name in (name for name in ENGINES if name in floods):
        for peer in (peer for peer in PEERS if peer in floods):
            pairs = list(zip(floods[name], floods[peer]))
            speed = [ours.speed / theirs.speed for ours, theirs in pairs]
            cpu = [ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs]
            quartiles = (
                statistics.quantiles(speed, n=4, method="inclusive") if speed[1:] else speed * 3
            )
            low, middle, high = quartiles
            lines.append(
                f"| {name} to {peer} | {middle:.2f} | {low:.2f} to {high:.2f}"
                f" | {min(speed):.2f} to {max(speed):.2f} | {_median(cpu):.2f} |"
            )
    return lines


_median = statistics.median


def _latency(runs: list[Trial], place: int) -> str:
    good = [run.latencies[place] for run in runs if run.latencies[place]]
    if len(good) * 2 <= len(runs):
        return "falls behind"
    return " / ".join(f"{statistics.median(column):.1f}" for column in zip(*good))


if __name__ == "__main__":
    sys.exit(main())
