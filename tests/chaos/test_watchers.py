"""Those who watch may be gone or hang: an update is handled as fast as when they are well."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.bots import ENGINES, SERVER_CORE, Bot
from bench.server import Phase, Server
from tests.chaos.figures import tell
from tests.chaos.watchers import State, Watch, gone, hanging, well
from tests.conftest import HAS_POSTGRES

pytestmark = pytest.mark.long

RATE = 100.0
COUNT = 1000
"""Messages of one round, of which the tenth from the slowest counts."""
ROUNDS = 6
MOST = 1.1
"""How many times as long it may take as when all are well."""
HERE = Path(__file__).parent
NAMES = [name for name, engine in ENGINES.items() if engine == "sqlite" or HAS_POSTGRES]


@pytest.fixture(autouse=True)
def on_its_own_core() -> Iterator[None]:
    """What is not the bot runs beside it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    yield
    os.sched_setaffinity(0, before)


def watched(name: str, watch: Watch, *control: str, share: str = "0.01") -> float:
    """The p99 in milliseconds of a bot of its own, with everything that watches it switched on."""
    with ExitStack() as stack:
        server = Server(50)
        stack.callback(server.close)
        plugins = {"PLUGINS_PATH": str(HERE / "complaining")}
        bot = Bot(
            name,
            server.port,
            command=[str(HERE / "run_citizen.py"), *control],
            output=watch.output,
            environ={**watch.environ, **plugins, "OTEL_TRACES_SAMPLER_ARG": share},
        )
        stack.callback(bot.close)
        server.play(Phase(200, rate=RATE), alive=lambda: bot.alive)
        bot.pin_database()
        stack.enter_context(watch.looks(bot.metrics))
        phase = Phase(COUNT, rate=RATE, limit=COUNT / RATE + 5)
        server.play(phase, alive=lambda: bot.alive)
        assert len(phase.replied) == COUNT and not phase.doubled, "some were not answered"
        found = 1000 * phase.latencies[int(0.99 * COUNT)]
        assert bot.stop() == 0
        return found


def compare(name: str, states: tuple[State, ...], share: str) -> dict[str, list[float]]:
    """What the states come to in rounds in turn, each first as often as the others."""
    found: dict[str, list[float]] = {state.__name__: [] for state in states}
    for place in range(ROUNDS):
        turn = place % len(states)
        for state in (*states[turn:], *states[:turn]):
            with state() as watch:
                found[state.__name__].append(watched(name, watch, share=share))
                if state is well:
                    assert {"/v1/traces", "/api/1/envelope/"} <= set(watch.posts())
    return found


@pytest.mark.parametrize("share", ["0.01", "1.0"])
@pytest.mark.parametrize("name", NAMES)
def test_updates_do_not_wait_for_who_watches(name: str, share: str) -> None:
    """p99 with all of them gone, and with all hanging, is at most 1.1 of that with all well.

    Prometheus, who reads the log, Sentry and the collector at once; with errors to report. With a
    trace of each update, making them all ready to be sent is most of what the slowest wait for.
    """
    found = compare(name, (well, gone, hanging), share)
    usual = statistics.median(found["well"])
    ratios = {state: round(statistics.median(ones) / usual, 2) for state, ones in found.items()}
    shown = {state: [round(one, 1) for one in ones] for state, ones in found.items()}
    tell(f"{name}, {share} of the traces: p99 in ms {shown}, of the medians {ratios}")
    assert max(ratios.values()) <= MOST, shown


@pytest.mark.parametrize("control", ["log-in-line", "report-in-line"])
def test_control_who_writes_in_line_waits(control: str) -> None:
    """The test sees a bot that writes its log, or tells Sentry, where the handler runs."""
    with well() as watch:
        usual = watched(NAMES[0], watch)
    with hanging() as watch:
        try:
            found = watched(NAMES[0], watch, control)
        except (AssertionError, ValueError):  # it does not come back at all
            return
    assert found > MOST * usual
