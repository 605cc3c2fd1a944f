"""Log to stdout: one JSON object, or for eyes one coloured line, a record; written by one thread.

`log.info("update_done", extra={"update_id": 7})` costs its caller a few microseconds: the record
is put in a queue, and formatted and written elsewhere. A reader that is slow, full or gone loses
lines, which are counted; it never holds or breaks the program.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from bot import codec

log = logging.getLogger(__name__)

MASK = "********"
MOST_WAITING = 20_000
MOST_AT_ONCE = 500
REST = 0.05
"""Seconds between two writes."""
PATIENCE = 2.0
"""Seconds that `stop` waits for a reader of stdout that does not read."""

_TOKEN = re.compile(r"[0-9]{6,}(?::|%3[Aa])[A-Za-z0-9_-]{30,}")
_SECRET_PART = re.compile(r":[A-Za-z0-9_-]{30}")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COLOURS = {"debug": 90, "info": 32, "warning": 33, "error": 31, "critical": 41}
_RESERVED = frozenset(RESERVED_ATTRS)
_SOURCE = logging._srcfile
PLAIN = {str, int, float, bool, type(None)}

Format = Callable[[logging.LogRecord], str]


class Topic(threading.local):
    """What the calling thread is at: its fields are added to each of its records."""

    fields: Mapping[str, object] = {}


topic = Topic()


def mask(text: str) -> str:
    """The text without anything that looks like a bot token."""
    if "%3" in text or _SECRET_PART.search(text):  # quicker than the whole search
        return _TOKEN.sub(MASK, text)
    return text


def escape(text: str) -> str:
    """The text on one line; what could steer a terminal or turn the reading order is spelt out."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def timestamp(seconds: float) -> str:
    """A time of the epoch in UTC, to the millisecond: 2026-01-31T12:00:00.123Z."""
    return f"{_to_the_second(int(seconds // 1))}.{int(seconds % 1 * 1000):03d}Z"


@lru_cache(maxsize=4)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


_BLANK = vars(logging.LogRecord("", logging.INFO, "", 0, "", None, None))
"""What a record has that was made at no place."""


class Note(logging.LogRecord):
    """A record of level INFO that is made and shown in half the time: no caller, no arguments.

    What was added is not searched for among the record's own fields, unless a filter added more.
    """

    _added: dict[str, object]
    _size: int

    def __init__(self, logger: logging.Logger, event: str, fields: dict[str, object]) -> None:
        made = _BLANK | fields
        made |= {"name": logger.name, "msg": event, "created": time.time(), "_added": fields}
        made["_size"] = len(made) + 1
        self.__dict__ = made


def note(logger: logging.Logger, event: str, fields: dict[str, object]) -> None:
    """Log an event as `logger.info(event, extra=fields)` does, for what every update logs.

    What the thread is at is not added: the fields say it.
    """
    if logger.isEnabledFor(logging.INFO):
        logger.handle(Note(logger, event, fields))


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller added to the record."""
    fields = record.__dict__
    if type(record) is Note and len(fields) == record._size:
        return dict(zip(record._added, map(fields.__getitem__, record._added)))
    return {name: fields[name] for name in fields if name not in _RESERVED and name[0] != "_"}


class Json(JsonFormatter):
    """One JSON object a record: event, timestamp, level, logger, what was added, exception."""

    def __init__(self, app: str = "bot") -> None:
        self._app = app
        encoder = JsonEncoder(
            ensure_ascii=False, allow_nan=False, skipkeys=True, separators=(",", ":")
        )
        self._encode = encoder.encode
        super().__init__(json_serializer=lambda fields, **_options: encoder.encode(fields))

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Collect the fields of a record; an added one cannot replace one of ours."""
        fixed = self._fixed(record, record.message or message_dict.pop("event", ""))
        if "exc_info" in message_dict:
            message_dict["exception"] = message_dict.pop("exc_info")
        log_data.update(fixed | extras(record) | message_dict | fixed)

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; what could break a line apart is escaped inside its strings."""
        bare = not (record.exc_info or record.exc_text or record.stack_info)
        if bare and type(record.msg) is str:  # nearly all; the whole way takes much longer
            fixed, added = self._fixed(record, record.getMessage()), extras(record)
            fields = fixed | added
            if len(fields) < len(fixed) + len(added):
                fields |= fixed
            plain = PLAIN.issuperset(map(type, fields.values()))
            line = codec.dumps(fields) if plain else self._encode(fields)
            return line if line.isascii() and "\x7f" not in line else escape(line)
        return escape(super().format(record))

    def _fixed(self, record: logging.LogRecord, event: str) -> dict[str, Any]:
        """The fields that every line has."""
        return {
            "event": event,
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "app": self._app,
            "logger": record.name,
        }


class Console(logging.Formatter):
    """One line a record, for eyes; a traceback follows it, set in so that it forges no line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a coloured line in which no control character is left."""
        level = record.levelname.lower()
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        added = "".join(f" {name}={_shown(value)}" for name, value in extras(record).items())
        line = escape(f"{record.getMessage()}{added}")
        text = f"{clock} \x1b[{_COLOURS.get(level, 0)}m{level:<8}\x1b[0m {line}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            text += "".join(f"\n    | {escape(part)}" for part in trace.split("\n"))
        return text


def _shown(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[\w.:/@+-]+", text) else json.dumps(text, ensure_ascii=False)


class Into(logging.Handler):
    """Puts each record in a queue; drops it, and counts, when too many wait."""

    def __init__(self, queue: SimpleQueue[logging.LogRecord | None]) -> None:
        super().__init__()
        self.lost = 0
        self._queue = queue

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record without a lock: the queue is its own."""
        if type(record) is not Note:
            for name, value in topic.fields.items():
                record.__dict__.setdefault(name, value)
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(record)
        else:
            self.lost += 1
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, for those who call it directly."""
        self.handle(record)


class Writer:
    """The one thread that formats and writes; many waiting records are one write."""

    def __init__(self, form: Format, stream: TextIO) -> None:
        self.queue: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self.into = Into(self.queue)
        self._form = form
        self._write = _sink(stream)
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self.run, name="logs", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end; a reader that does not read is left after two seconds."""
        self._hurry.set()
        self.queue.put(None)
        self._thread.join(PATIENCE)

    def run(self) -> None:
        """Write until `stop`; between two writes it rests, so that not every record wakes it."""
        while self.step() and not (self._hurry.is_set() and self.queue.empty()):
            with suppress(MemoryError):
                self._hurry.wait(REST)

    def step(self) -> bool:
        """Wait for a record and write all that are there; False when it was the last time.

        A full disk, a closed stream, no memory, a plugin's `__str__` that ends the thread: whatever
        it is costs its lines, and is told when it is over.
        """
        records: list[logging.LogRecord | None] = []
        lost = self.into.lost
        try:
            self._gather(records)
            lines = [self._line(record) for record in records if record is not None]
            if lost:
                lines.append(self._form(_made("log_lines_lost", {"count": lost})) + "\n")
            self._write("".join(lines))
            self.into.lost -= lost
        except BaseException:  # noqa: BLE001
            self.into.lost += len(records) - (None in records)
            time.sleep(REST)
        return None not in records

    def _gather(self, records: list[logging.LogRecord | None]) -> None:
        records.append(self.queue.get())
        with suppress(Empty):
            while records[-1] is not None and len(records) < MOST_AT_ONCE:
                records.append(self.queue.get_nowait())

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return mask(self._form(record)) + "\n"
        except BaseException as error:  # noqa: BLE001  what cannot be shown is told as another
            return mask(self._form(_unshowable(record, error))) + "\n"


def _unshowable(record: logging.LogRecord, error: BaseException) -> logging.LogRecord:
    said = record.msg[:200] if isinstance(record.msg, str) else type(record.msg).__name__
    fields = {"of": record.name, "said": said, "error": type(error).__name__}
    return _made("log_record_unshowable", fields)


def _made(event: str, fields: Mapping[str, object]) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": __name__, "levelname": "WARNING", "levelno": 30, "msg": event, **fields}
    )


def _sink(stream: TextIO) -> Callable[[str], object]:
    """How to write: to the file itself where there is one.

    A thread that hangs in a stream's own buffer would abort the interpreter at its exit.
    """
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return stream.write
    return lambda text: _write_all(number, text.encode())


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(number, view) :]
        except BlockingIOError:
            select.select((), (number,), ())


def _look_up_callers(on: bool) -> None:
    """Whether each record finds out its file, line, thread and process, which nobody reads here."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = on
    logging._srcfile = _SOURCE if on else None


def _on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return sys.__excepthook__(kind, error, trace)
    log.critical("uncaught_exception", exc_info=(kind, error, trace))


def _on_thread_exception(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value and not issubclass(raised.exc_type, SystemExit):
        name = raised.thread.name if raised.thread else "?"
        trace = (raised.exc_type, raised.exc_value, raised.exc_traceback)
        log.critical("uncaught_exception", exc_info=trace, extra={"in_thread": name})


def _set_levels(pairs: Iterable[str]) -> list[str]:
    """Set the levels of modules, each as bot.wire=DEBUG; give those that were."""
    before = []
    for name, _, level in (pair.partition("=") for pair in pairs):
        logger = logging.getLogger(name)
        before.append(f"{name}={logging.getLevelName(logger.level)}")
        logger.setLevel(level)
    return before


class Logs:
    """The logging of this process while it is set up; `stop` writes the rest and restores."""

    def __init__(self, level: str, form: Format, stream: TextIO) -> None:
        root = logging.getLogger()
        level, *of_modules = level.split(",")
        self._before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
        self._writer: Writer | None = Writer(form, stream)
        root.handlers[:] = [self._writer.into]
        root.setLevel(level)
        self._levels = _set_levels(of_modules)
        logging.captureWarnings(True)
        _look_up_callers(False)
        sys.excepthook = _on_exception
        threading.excepthook = _on_thread_exception
        self._writer.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Write what waits; call it before the process is replaced. Twice does no harm."""
        if self._writer is None:
            return
        root = logging.getLogger()
        handlers, level, sys.excepthook, threading.excepthook = self._before
        root.handlers[:] = handlers or [logging.NullHandler()]
        root.setLevel(level)
        _set_levels(self._levels)
        logging.captureWarnings(False)
        _look_up_callers(True)
        self._writer.stop()
        self._writer = None
        atexit.unregister(self.stop)


def setup(
    level: str,
    format: str,  # noqa: A002
    *,
    app: str = "bot",
    stream: TextIO | None = None,
) -> Logs:
    """Send every record of `level` and above to `stream` (stdout), as "json" or "console".

    `level` may go on with levels of modules: INFO,bot.wire=DEBUG. `app` is a field of each line.
    """
    form = Console().format if format == "console" else Json(app).format
    return Logs(level, form, stream or sys.stdout)
