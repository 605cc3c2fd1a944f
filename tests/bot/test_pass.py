"""PASS: a handler that only looked leaves the update to the next one."""

from __future__ import annotations

from pathlib import Path

from bot.testing import ChatKit
from models import AnalyticsEvent

WATCHER = '''"""Watch."""
from bot import PASS, Context, Plugin

plugin = Plugin(__name__)


@plugin.on("message")
def look(ctx: Context) -> object:
    ctx.track("seen", by="{name}")
    return {returned}


@plugin.command("look")
def look_here(ctx: Context) -> object:
    """Look and leave it."""
    return PASS
'''
ANSWERER = '''"""Answer."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.on("message")
def answer(ctx: Context) -> str:
    return f"You said {ctx.event.text}."
'''


def chat(folder: Path, returned: str) -> tuple[list[str], list[str]]:
    """What Alice reads after a word and a command, and what the watchers saw."""
    (folder / "a_watcher.py").write_text(WATCHER.format(name="a", returned=returned))
    second = WATCHER.format(name="b", returned="PASS").replace('"look"', '"see"')
    (folder / "b_watcher.py").write_text(second)
    (folder / "c_answerer.py").write_text(ANSWERER)
    with ChatKit([folder]) as kit:
        said = [*kit.alice.send("hello"), *kit.alice.send("/look")]
        seen = AnalyticsEvent.select().where(AnalyticsEvent.event_type == "seen")
        return said, [event.data["by"] for event in seen.order_by(AnalyticsEvent.id)]


def test_watchers_leave_the_update_to_others(tmp_path: Path) -> None:
    """Both watchers see each message, a command that was passed on too, and one answers."""
    said, seen = chat(tmp_path, "PASS")
    assert said == ["You said hello.", "You said /look."] and seen == ["a", "b", "a", "b"]


def test_control_who_returns_nothing_takes_it(tmp_path: Path) -> None:
    """The first handler that fits gets the update, and nobody else."""
    said, seen = chat(tmp_path, "None")
    assert said == [] and seen == ["a", "a"]
