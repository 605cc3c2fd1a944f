"""The logs: one valid line a record, no token in it, and a program that never waits for them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import lines, logs
from settings import Secret

TOKEN = "123456789:" + "AbCdEfGhIj_-0123456789AbCdEfGhIj012"
ROOT = Path(__file__).parent.parent.parent


class Page(io.StringIO):
    """What was written, also after the end."""

    def lines(self) -> list[str]:
        """The lines as a reader that knows every line break of Unicode sees them."""
        return self.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        """Every line as JSON."""
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def json_logs(page: Page) -> Iterator[logs.Logs]:
    handle = logs.setup("INFO", "json", stream=page)
    yield handle
    handle.stop()


log = logging.getLogger("bot.sample")


def test_a_record_is_one_json_object(page: Page, json_logs: logs.Logs) -> None:
    """The fields are event, timestamp, level and what was added."""
    log.info("bot_event_processed", extra={"update_id": 7, "outcome": "ok", "user_id": None})
    json_logs.stop()
    (line,) = page.objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "event": "bot_event_processed",
        "level": "info",
        "app": "bot",
        "logger": "bot.sample",
        "update_id": 7,
        "outcome": "ok",
        "user_id": None,
    }


def test_the_timestamp_is_utc_to_the_millisecond() -> None:
    """No zone of the machine gets into it."""
    assert lines.timestamp(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_records_below_the_level_are_left_out(page: Page, json_logs: logs.Logs) -> None:
    """INFO leaves DEBUG out; arguments are put into the event."""
    log.debug("no")
    log.warning("%s of %d", "one", 2)
    json_logs.stop()
    assert [(line["level"], line["event"]) for line in page.objects()] == [("warning", "one of 2")]


@pytest.mark.parametrize(
    "text",
    ['a\n{"level":"error"}', "\r\n\x1b[2J", "\x85\u2028\u2029", "\x9b31m", "\ud800", "\x00\x7f"],
)
def test_a_text_of_a_user_stays_in_its_string(page: Page, json_logs: logs.Logs, text: str) -> None:
    """No newline, control character or half letter leaves the JSON string it is in."""
    log.info("said %s", text, extra={"who": text})
    json_logs.stop()
    (line,) = page.objects()
    assert (line["event"], line["who"]) == (f"said {text}", text)
    assert all(letter.isprintable() for letter in page.lines()[0])
    page.getvalue().encode()


def test_readable_letters_stay_readable(page: Page, json_logs: logs.Logs) -> None:
    """Cyrillic and emoji are not spelt out."""
    log.info("Привет 👋")
    json_logs.stop()
    assert "Привет 👋" in page.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_token_is_masked_everywhere(page: Page, form: str) -> None:
    """Message, arguments, added fields, exceptions, addresses and warnings: no token comes out."""
    handle = logs.setup("DEBUG", form, stream=page)
    log.info("plain %s", TOKEN)
    log.info("at", extra={"url": f"https://host/bot{TOKEN.replace(':', '%3A')}/getMe"})
    log.info("deep", extra={"data": {"list": [TOKEN, {"key": TOKEN}], TOKEN: 1}})
    try:
        raise ValueError(f"no host in {TOKEN}")
    except ValueError:
        log.exception("failed", stack_info=True)
    log.info("bad %d", TOKEN)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"old {TOKEN}", stacklevel=1)
    handle.stop()
    assert len(page.lines()) >= 6
    assert TOKEN[10:] not in page.getvalue()
    assert page.getvalue().count(lines.MASK) == 7


def test_other_numbers_with_a_colon_are_kept() -> None:
    """A time, a port and an id are no token."""
    text = "12:34:56 127.0.0.1:8081 1000000001:sandbox 2026-01-01T00:00:00.000Z"
    assert lines.mask(text) == text


def test_an_exception_has_its_traceback(page: Page, json_logs: logs.Logs) -> None:
    """The traceback is one field of the one line."""
    try:
        raise LookupError("gone\naway")
    except LookupError:
        log.exception("failed")
    json_logs.stop()
    (line,) = page.objects()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("LookupError: gone\naway")


def test_an_added_field_cannot_replace_ours(page: Page, json_logs: logs.Logs) -> None:
    """Whoever adds `level` does not lower an error."""
    log.error("real", extra={"level": "info", "event": "false", "timestamp": "never"})
    json_logs.stop()
    (line,) = page.objects()
    assert (line["event"], line["level"]) == ("real", "error")
    assert line["timestamp"] != "never"


class Hostile:
    """A value that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    "fields",
    [
        {"msg": "%d items", "args": ("many",)},
        {"msg": "items", "value": Hostile()},
        {"msg": "items", "value": float("nan")},
        {"msg": Hostile()},
    ],
)
@pytest.mark.parametrize("form", [lines.Json().show, lines.Console().show])
def test_a_record_that_cannot_be_shown_is_told(form: logs.Format, fields: dict[str, Any]) -> None:
    """A broken value or format costs its record at most; the next one is written."""
    page = Page()
    writer = logs.Writer(form, page)
    writer.into.handle(logging.makeLogRecord(fields))
    writer.into.handle(logging.makeLogRecord({"msg": "next"}))
    assert writer.step()
    first, second = page.lines()
    assert "items" in first or "Hostile" in first
    assert "next" in second


def test_unusual_values_are_shown(page: Page, json_logs: logs.Logs) -> None:
    """A dictionary as message, a secret, bytes, a set and keys that are no text do not break it."""
    log.info({"event": "from_dict", "size": 3})
    log.info("odd", extra={"secret": Secret("swordfish"), "bytes": b"x", "map": {(1, 2): 3, 4: 5}})
    json_logs.stop()
    first, second = page.objects()
    assert (first["event"], first["size"]) == ("from_dict", 3)
    assert second["map"] == {"4": 5}
    assert "swordfish" not in page.getvalue()


def test_the_console_form_is_one_line_for_eyes(page: Page) -> None:
    """Time, coloured level, event and fields; what steers a terminal is spelt out."""
    handle = logs.setup("INFO", "console", stream=page)
    log.warning("said\x1b[2J", extra={"text": "two\nlines", "update_id": 7, "who": "Вера П"})
    handle.stop()
    pattern = (
        r"\d\d:\d\d:\d\d \x1b\[33mwarning \x1b\[0m said\\u001b\[2J"
        r' text="two\\nlines" update_id=7 who="Вера П"\n'
    )
    assert re.fullmatch(pattern, page.getvalue())


def test_a_traceback_in_the_console_forges_no_line(page: Page) -> None:
    """The lines of a traceback, also those of its message, are set in."""
    handle = logs.setup("INFO", "console", stream=page)
    try:
        raise ValueError("x\n12:00:00 info forged \x1b[1m")
    except ValueError:
        log.exception("failed")
    handle.stop()
    first, *rest = page.getvalue().rstrip("\n").split("\n")
    assert first.endswith("failed")
    assert all(line.startswith("    | ") for line in rest)
    assert "\x1b" not in "".join(rest)


def test_uncaught_exceptions_are_logged(
    page: Page, json_logs: logs.Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody caught, in a thread too, is a line and not a raw traceback."""

    def fail() -> None:
        raise ValueError(TOKEN)

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    interrupted: list[object] = []
    monkeypatch.setattr(sys, "__excepthook__", lambda *raised: interrupted.append(raised[0]))
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    json_logs.stop()
    assert [line["event"] for line in page.objects()] == ["uncaught_exception"] * 2
    assert page.objects()[0]["in_thread"] == "worker"
    assert interrupted == [KeyboardInterrupt]
    assert TOKEN not in page.getvalue()


def test_a_quiet_end_of_a_thread_is_no_error(page: Page, json_logs: logs.Logs) -> None:
    """SystemExit in a thread is not logged."""
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
    json_logs.stop()
    assert page.getvalue() == ""


def test_stop_restores_what_was_before(page: Page) -> None:
    """Handlers, level and hooks are as before; a second stop does nothing."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    handle = logs.setup("DEBUG", "json", stream=page)
    assert root.handlers != before[0]
    handle.stop()
    handle.stop()
    assert (root.handlers[:], root.level, sys.excepthook, threading.excepthook) == before


def test_many_records_are_few_writes() -> None:
    """What waits is written at once, in order, and nothing is left out."""
    page = Page()
    writer = logs.Writer(lines.Json().show, page)
    for number in range(logs.MOST_AT_ONCE + 1):
        writer.into.handle(logging.makeLogRecord({"msg": "n", "number": number}))
    assert writer.step()
    assert len(page.lines()) == logs.MOST_AT_ONCE
    writer.queue.put(None)
    assert not writer.step()
    assert [line["number"] for line in page.objects()] == list(range(logs.MOST_AT_ONCE + 1))


def test_lines_that_found_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood is dropped beyond a bound, and one line says how much."""
    monkeypatch.setattr(logs, "MOST_WAITING", 3)
    page = Page()
    writer = logs.Writer(lines.Json().show, page)
    for _ in range(5):
        writer.into.emit(logging.makeLogRecord({"msg": "flood"}))
    writer.step()
    events = [(line["event"], line.get("count")) for line in page.objects()]
    assert events == [("flood", None)] * 3 + [("log_lines_lost", 2)]


def test_a_closed_stdout_breaks_nothing() -> None:
    """Lines are lost, counted, and told when the stream is back."""
    page = Page()
    writer = logs.Writer(lines.Json().show, page)
    closed = Page()
    closed.close()
    writer._write = closed.write
    writer.into.handle(logging.makeLogRecord({"msg": "lost"}))
    assert writer.step()
    writer._write = page.write
    writer.into.handle(logging.makeLogRecord({"msg": "back"}))
    assert writer.step()
    assert [line["event"] for line in page.objects()] == ["back", "log_lines_lost"]


def test_without_memory_the_writer_lives_on() -> None:
    """Lines that found none are counted, and told when there is some again."""
    page, gone = Page(), [True]

    def form(record: logging.LogRecord | lines.Note) -> str:
        if gone[0]:
            raise MemoryError
        return lines.Json().show(record)

    writer = logs.Writer(form, page)
    for _ in range(2):
        writer.into.handle(logging.makeLogRecord({"msg": "lost"}))
    assert writer.step()
    gone[0] = False
    writer.into.handle(logging.makeLogRecord({"msg": "back"}))
    assert writer.step()
    events = [(line["event"], line.get("count")) for line in page.objects()]
    assert events == [("back", None), ("log_lines_lost", 2)]


def test_lines_lost_one_time_after_the_other_are_all_counted() -> None:
    """A stream that takes nothing three times: the line afterwards tells of all three."""
    page, closed = Page(), Page()
    writer = logs.Writer(lines.Json().show, page)
    closed.close()
    for write in (closed.write, closed.write, closed.write, page.write):
        writer._write = write
        writer.into.handle(logging.makeLogRecord({"msg": "line"}))
        assert writer.step()
    writer.into.handle(logging.makeLogRecord({"msg": "line"}))
    assert writer.step()
    assert [line.get("count") for line in page.objects()] == [None, 3, None]


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, MemoryError])
def test_a_value_cannot_end_the_writer(error: type[BaseException]) -> None:
    """A plugin's own `__str__` runs in its thread."""

    class Odd:
        def __str__(self) -> str:
            raise error

    page = Page()
    writer = logs.Writer(lines.Json().show, page)
    writer.into.handle(logging.makeLogRecord({"msg": Odd()}))
    writer.into.handle(logging.makeLogRecord({"msg": "next"}))
    assert writer.step()
    assert [line["event"] for line in page.objects()] == ["log_record_unshowable", "next"]


def test_the_writer_finds_no_memory_for_its_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on without one."""
    page = Page()
    writer = logs.Writer(lines.Json().show, page)
    turns = iter([MemoryError, MemoryError])

    rest = writer._hurry.wait

    def wait(seconds: float) -> bool:
        if error := next(turns, None):
            raise error
        return rest(seconds)

    monkeypatch.setattr(writer._hurry, "wait", wait)
    writer.start()
    for _ in range(3):
        writer.into.handle(logging.makeLogRecord({"msg": "line"}))
        time.sleep(3 * logs.REST)
    writer.stop()
    assert len(page.lines()) == 3


def test_the_writer_ends_though_its_last_word_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells it to end may be among what was lost for want of memory."""
    writer = logs.Writer(lines.Json().show, Page())

    def gather(records: list[logging.LogRecord | None]) -> None:
        writer.queue.get()
        raise MemoryError

    monkeypatch.setattr(writer, "_gather", gather)
    writer.start()
    began = time.monotonic()
    writer.stop()
    assert time.monotonic() - began < logs.PATIENCE and not writer._thread.is_alive()


def test_a_pipe_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that takes little at a time, or not now, gets every byte."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    got: list[bytes] = []

    def collect() -> None:
        while part := os.read(read, 1000):
            got.append(part)

    reader = threading.Thread(target=collect)
    with os.fdopen(write, "w") as stream:
        out = logs._sink(stream)
        threading.Timer(0.05, reader.start).start()
        out("ж" * 200_000)
    time.sleep(0.1)
    reader.join(5)
    os.close(read)
    assert b"".join(got).decode() == "ж" * 200_000


PROGRAM = """
import logging, sys
from bot.logs import setup
setup("INFO", "json")
log = logging.getLogger("x")
for number in range(30_000):
    log.info("line", extra={"number": number})
print("done", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("reader", ["reads", "never reads", "is gone"])
def test_the_program_ends_whatever_its_reader_does(reader: str) -> None:
    """A pipe that is read, full or closed: the program neither hangs nor fails."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stderr is not None
    if reader == "is gone":
        child.stdout.close()
    lines = child.stdout.read().splitlines() if reader == "reads" else []
    errors = child.stderr.read()
    assert child.wait(20) == 0
    assert errors == b"done\n"
    if reader == "reads":
        assert all(json.loads(line)["level"] for line in lines)
        assert len(lines) > 1000
    child.stdout.close()
    child.stderr.close()


def test_a_full_disk_ends_nothing() -> None:
    """Standard output on a disk without room: the lines are lost, the program goes on."""
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=20,
            check=True,
        )
    assert child.stderr == b"done\n"


def test_a_record_is_cheap_for_its_caller(page: Page) -> None:
    """One record costs its caller a few microseconds, in the best of ten batches."""
    handle = logs.setup("INFO", "json", stream=page)
    costs = []
    for _batch in range(10):
        started = time.thread_time()
        for number in range(200):
            log.info("bot_event_processed", extra={"update_id": number, "outcome": "ok"})
        costs.append((time.thread_time() - started) / 200)
    handle.stop()
    assert len(page.lines()) == 2000
    assert min(costs) < 50e-6


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_note_is_a_record_as_any_other(form: str) -> None:
    """What every update logs looks as `logger.info` would have it, and obeys the level."""
    page = io.StringIO()
    handle = logs.setup("INFO", form, stream=page)
    log = logging.getLogger("note")
    fields = {"update_id": 7, "outcome": "ok", "user_id": None}
    logs.note(log, "update_done", fields)
    log.info("update_done", extra=fields)
    log.setLevel("WARNING")
    logs.note(log, "update_done", fields)
    log.setLevel("NOTSET")
    handle.stop()
    one, other = [TIME.sub("", line) for line in page.getvalue().splitlines()]
    assert one == other and "update_done" in one


TIME = re.compile(r"[-0-9]*T?\d\d:\d\d:\d\d(\.\d{3}Z)?")


def test_a_note_has_no_token_and_no_broken_line(page: Page, json_logs: logs.Logs) -> None:
    """Its fields are masked and escaped as those of any record."""
    logs.note(logging.getLogger("bot.sample"), "done", {"said": f"{TOKEN}\x85\u2028\x7f"})
    json_logs.stop()
    (line,) = page.objects()
    assert line["said"] == f"{lines.MASK}\x85\u2028\x7f"
    assert page.getvalue().rstrip("\n").isprintable()


def test_who_sees_every_record_sees_notes_too(
    json_logs: logs.Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentry puts itself in the way of all loggers, and keeps what was logged before an error."""
    seen: list[str] = []
    real = logging.Logger.callHandlers

    def call(logger: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        real(logger, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", call)
    logs.note(logging.getLogger("bot.sample"), "done", {"outcome": "ok"})
    assert seen == ["done"]


@pytest.mark.parametrize("name", ["", "bot", "bot.sample"])
def test_whoever_listens_hears_notes_too(json_logs: logs.Logs, name: str) -> None:
    """A handler on the way, whoever put it there, gets a note as a whole record."""
    heard: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = heard.append  # type: ignore[method-assign,assignment]
    log = logging.getLogger(name)
    log.addHandler(listener)
    logs.note(logging.getLogger("bot.sample"), "done", {"outcome": "ok"})
    log.removeHandler(listener)
    logs.note(logging.getLogger("bot.sample"), "done", {"outcome": "ok"})
    assert [(record.getMessage(), vars(record)["outcome"]) for record in heard] == [("done", "ok")]


def test_a_note_is_a_record_like_others(page: Page, json_logs: logs.Logs) -> None:
    """What a filter masks or adds is in the line, and an ordinary formatter can show it."""
    shown: list[str] = []

    class Filter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.user_id = "masked"
            if record.getMessage() == "more":
                record.place = "here"
            shown.append(logging.Formatter(WHOLE).format(record))
            return True

    logger = logging.getLogger("bot.filtered")
    logger.addFilter(Filter())
    logs.note(logger, "one", {"user_id": 55})
    logs.note(logger, "more", {"user_id": 55})
    json_logs.stop()
    one, more = page.objects()
    assert one["user_id"] == more["user_id"] == "masked"
    assert "place" not in one and more["place"] == "here"
    assert [text.rpartition(" ")[2] for text in shown] == ["one", "more"]


WHOLE = "%(asctime)s %(pathname)s %(funcName)s %(threadName)s %(process)s %(msecs)d %(message)s"
