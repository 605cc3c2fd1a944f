"""Series: whoever writes, whatever they type and however handlers fail, their number is bounded."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot.kit import ChatKit
from bot.metrics import CODES, KINDS, METHODS, Metrics
from tests.deploy.tools import tool

MOST = 2_000
BATCH = 8
PLUGIN = '''
"""Fails in a new way each time."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("fail")
def fail(ctx: Context) -> None:
    """Raise an error of a class of its own."""
    raise type(f"Error{ctx.args}", (Exception,), {})(f"path /var/{ctx.args}")


@plugin.command("call")
def call(ctx: Context) -> None:
    """Ask for a file with a name of its own."""
    ctx.bot.get_file(f"name{ctx.args}")


@plugin.on("message")
def hear(ctx: Context) -> str:
    """Answer."""
    return ctx.text
'''


def series(metrics: Metrics) -> int:
    """How many lines a scrape has, which is without the times at which series began."""
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return sum(not sample.name.endswith("_created") for sample in samples)


@pytest.fixture
def plugins(tmp_path: Path) -> list[Path]:
    (tmp_path / "failing.py").write_text(PLUGIN)
    return [tmp_path / "failing.py"]


def flood(kit: ChatKit, numbers: Iterator[int], count: int) -> None:
    """Each update of a person and a chat of its own, with a command and an error of its own.

    A while passes after some, as a plugin that fails too often at a time is suspended.
    """
    for place in range(count):
        number = next(numbers)
        person = {"id": 10_000 + number, "is_bot": False, "first_name": f"N{number}"}
        group = {"id": -10_000 - number, "type": "group", "title": f"G{number}"}
        private = {"id": person["id"], "type": "private", "first_name": "N"}
        words = (f"/fail {number}", f"/typed{number}", f"/call {number}", f"plain {number}")
        text = words[place % 4]
        message = {"message_id": number, "date": 1, "from": person, "text": text}
        message["chat"] = private if place % 2 else group
        if text.startswith("/"):
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        kit.telegram.push(kit.bot_id, {"message": message})
        if place % BATCH == BATCH - 1:
            kit.step()
            kit.pass_time(hours=2)
    assert len(kit.take_failures()) == count // 2


def measure(kit: ChatKit, count: int) -> tuple[int, int]:
    """The number of series after a warm-up, and after `count` more updates."""
    numbers = iter(range(1, 1_000_000))
    kit.fail("getFile", code=400, times=None)
    flood(kit, numbers, 480)
    before = series(kit.core.parts.metrics)
    flood(kit, numbers, count)
    return before, series(kit.core.parts.metrics)


def test_hundreds_of_strangers_add_no_series(
    kit: ChatKit, caplog: pytest.LogCaptureFixture
) -> None:
    """Users, chats, typed commands, paths and errors are all new, and none is a label."""
    caplog.set_level("CRITICAL")
    before, after = measure(kit, 400)
    assert before == after < MOST


@pytest.mark.long
def test_ten_thousand_strangers_add_no_series(
    kit: ChatKit, caplog: pytest.LogCaptureFixture
) -> None:
    """The same with ten thousand."""
    caplog.set_level("CRITICAL")
    before, after = measure(kit, 10_000)
    assert before == after < MOST


def test_everything_that_may_happen_stays_under_the_bound() -> None:
    """Every method with every code, every kind, and more plugins, handlers and errors than room."""
    metrics = Metrics()
    metrics.allow_commands(*(f"command{number}" for number in range(10_000)))
    metrics.preset(f"plugin.handler{number}" for number in range(10_000))
    for method, code in product(sorted(METHODS), sorted(CODES)):
        metrics.api(method, code, 0.1)
        metrics.sends_ambiguous(method).inc()
    for kind in KINDS:
        metrics.received(kind)
    for number in range(10_000):
        for status in ("ok", "error", "ignored", "blocked", "banned", "throttled"):
            metrics.message(f"plugin.handler{number}", status, 0.1)
        metrics.command(f"command{number}")
        metrics.error(f"Error{number}")
        metrics.plugin_state(f"plugin{number}").set(1)
    metrics.backed_up(1.0)
    assert 1_000 < series(metrics) < MOST


def test_what_finds_no_room_is_counted_all_the_same() -> None:
    """The sum over a label is right, also when most of it is `other`."""
    metrics = Metrics(CollectorRegistry())
    for number in range(1_000):
        metrics.message(f"plugin.handler{number}", "ok", 0.1)
    (found,) = [each for each in metrics.registry.collect() if each.name == "bot_messages"]
    assert sum(s.value for s in found.samples if s.name == "bot_messages_total") == 1_000
    assert metrics.registry.get_sample_value(
        "bot_messages_total", {"handler": "other", "status": "ok"}
    )


def test_the_check_sees_a_label_that_grows() -> None:
    """The control: a metric with a user's id in a label is found."""
    metrics = Metrics(CollectorRegistry())
    before = series(metrics)
    ids = metrics._counter("ids", "By person.", "user_id")
    for number in range(100):
        ids.labels(str(number)).inc()
    assert series(metrics) > before


def test_promtool_finds_no_fault(kit: ChatKit) -> None:
    """Names, units and helps are as Prometheus wants them; a wrong one is told."""
    kit.chores()
    kit.alice.send("/call x")
    kit.take_failures()
    kit.core.parts.metrics.backed_up(1.0)
    text = generate_latest(kit.core.parts.metrics.registry)
    check = [tool("promtool"), "check", "metrics"]
    said = subprocess.run(check, input=text, capture_output=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    wrong = text + b"# TYPE wrongName counter\nwrongName 1\n"
    assert subprocess.run(check, input=wrong, capture_output=True, check=False).returncode != 0
