"""The lines of a run: each is JSON, without secrets, and an update's id ties its own together."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import logs
from bot.kit import ChatKit
from bot.logs import topic
from tests.bot.test_logs import TOKEN, Page

PLUGIN = '''
"""Says and raises what it is sent."""
import sqlite3
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("shout")
def shout(ctx: Context) -> str:
    """Repeat."""
    ctx.log.warning("said %s", ctx.text)
    return ctx.text


@plugin.command("fall")
def fall(ctx: Context) -> None:
    """Raise."""
    raise ValueError(ctx.text)


@plugin.command("away")
def away(ctx: Context) -> str:
    """Meet a database that is away, the first time."""
    if not ctx.cache.get("met"):
        ctx.cache.set("met", 1, 60)
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error
    return "back"
'''
NASTY = [
    'x\n{"event":"forged","level":"error"}',
    "\x1b[2J\x1b]0;title\x07",
    "\r\n\x85\u2028\u2029\u202e",
    f"my token is {TOKEN}",
    '"}\\u0000{"a":1}',
    "\ud83d\ude00 %s %d {0} \\",
    "я" * 4000,
]


@pytest.fixture
def plugins(tmp_path: Path) -> list[Path]:
    (tmp_path / "shouter.py").write_text(PLUGIN)
    return [tmp_path / "shouter.py"]


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page()
    handle = logs.setup("INFO,bot.meter=DEBUG", "json", stream=page)
    yield page
    handle.stop()


def lines(page: Page) -> list[dict[str, Any]]:
    """What was written so far, once the writer is through."""
    logging.getLogger("last").info("end")
    for writer in [h for h in logging.getLogger().handlers if isinstance(h, logs.Into)]:
        while writer._queue.qsize() or '"end"' not in page.getvalue():
            pass
    return page.objects()


def test_every_line_of_a_run_is_json_without_a_secret(kit: ChatKit, page: Page) -> None:
    """Whatever people send, and plugins log and raise: one object a line, and no token."""
    for text in NASTY:
        kit.alice.send(f"/shout {text}")
        kit.alice.send(f"/fall {text}")
        kit.pass_time(hours=2)
    assert len(kit.take_failures()) == len(NASTY)
    found = lines(page)
    assert len(found) > 6 * len(NASTY)
    for line in found:
        assert {"event", "timestamp", "level", "app", "logger"} <= set(line)
        assert line["event"] != "forged"
    assert all(letter.isprintable() for line in page.lines() for letter in line)
    assert TOKEN[10:] not in page.getvalue()
    assert kit.settings.bots[0].reveal() not in page.getvalue()


def test_texts_of_people_are_not_logged_by_us(kit: ChatKit, page: Page) -> None:
    """A text that no plugin logs is in no line."""
    kit.alice.send("/shoot swordfish")
    kit.alice.send("swordfish")
    assert "swordfish" not in str(lines(page))


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("/shout hello", {"said hello", "api_call", "bot_event_processed"}),
        ("/fall down", {"a handler failed", "api_call", "bot_event_processed"}),
        ("/away", {"waits: OperationalError", "api_call", "bot_event_processed"}),
    ],
)
def test_an_update_ties_its_lines_together(
    kit: ChatKit, page: Page, text: str, events: set[str]
) -> None:
    """Handler, calls to Telegram, troubles of the database and the end: one update_id."""
    update = kit.telegram.send(kit.bot_id, 1002, 1002, text=text)
    kit.step()
    kit.take_failures()
    found = lines(page)
    (ended,) = [line for line in found if line["event"] == "bot_event_processed"]
    said = " ".join(line["event"] for line in found if line.get("update_id") == ended["update_id"])
    assert update
    assert all(event in said for event in events), said
    assert all(line["bot_id"] == kit.bot_id for line in found if "update_id" in line)


def test_an_update_that_is_over_names_no_more_lines(kit: ChatKit, page: Page) -> None:
    """What is logged between updates belongs to none."""
    kit.alice.send("/shout hello")
    assert topic.fields == {}
    last = lines(page)[-1]
    assert last["event"] == "end" and "update_id" not in last


def test_a_record_keeps_its_own_fields(page: Page) -> None:
    """What a record says of itself is not replaced by what its thread is at."""
    topic.fields = {"update_id": 1, "bot_id": 2}
    logging.getLogger("a").info("told", extra={"update_id": 7})
    topic.fields = {}
    line = next(line for line in lines(page) if line["event"] == "told")
    assert (line["update_id"], line["bot_id"]) == (7, 2)


def test_modules_have_levels_of_their_own() -> None:
    """One module speaks more, another less; after the end they are as before."""
    page, loud, quiet = Page(), logging.getLogger("one.loud"), logging.getLogger("one.quiet")
    handle = logs.setup("INFO,one.loud=DEBUG,one.quiet=ERROR", "json", app="panel", stream=page)
    for logger in (loud, quiet, logging.getLogger("one")):
        logger.debug("whisper")
        logger.warning("word")
    handle.stop()
    said = [(line["logger"], line["event"]) for line in page.objects()]
    assert said == [("one.loud", "whisper"), ("one.loud", "word"), ("one", "word")]
    assert {line["app"] for line in page.objects()} == {"panel"}
    assert (loud.level, quiet.level) == (logging.NOTSET, logging.NOTSET)
