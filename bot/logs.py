"""Log to stdout: a line a record, as bot/lines.py has it, written by one thread.

`log.info("update_done", extra={"update_id": 7})` costs its caller a few microseconds: the record
is put in a queue, and formatted and written elsewhere. A reader that is slow, full or gone loses
lines, which are counted; it never holds or breaks the program.
"""

from __future__ import annotations

import atexit
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TextIO, TypeAlias

from bot.lines import Console, Json, Note, mask, record_of

log = logging.getLogger(__name__)

MOST_WAITING = 20_000
MOST_AT_ONCE = 500
REST = 0.05
"""Seconds between two writes."""
PATIENCE = 2.0
"""Seconds that `stop` waits for a reader of stdout that does not read."""

_SOURCE = logging._srcfile
_CALL_HANDLERS = logging.Logger.callHandlers
"""As it came: who puts another in its place wants to see every record."""
Format: TypeAlias = "Callable[[logging.LogRecord | Note], str]"


class Topic(threading.local):
    """What the calling thread is at: its fields are added to each of its records."""

    fields: Mapping[str, object] = {}


topic = Topic()


def note(logger: logging.Logger, event: str, fields: dict[str, object]) -> None:
    """Log an event as `logger.info(event, extra=fields)` does, for what every update logs.

    No field may be called as one that each line has.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    if (into := _sole(logger)) is not None:
        into.put((logger.name, event, time.time(), fields))
    else:
        logger.info(event, extra=fields)


def _sole(logger: logging.Logger) -> Into | None:
    """What takes the records of a logger when nothing else sees them."""
    if logger.filters or type(logger).callHandlers is not _CALL_HANDLERS:
        return None
    while (parent := logger.parent) is not None:
        if logger.handlers or not logger.propagate:
            return None
        logger = parent
    into = logger.handlers[0] if len(logger.handlers) == 1 else None
    return into if type(into) is Into and into.level <= logging.INFO else None


class Into(logging.Handler):
    """Puts each record in a queue; drops it, and counts, when too many wait."""

    def __init__(self, queue: SimpleQueue[logging.LogRecord | Note | None]) -> None:
        super().__init__()
        self.lost = 0
        self._queue = queue

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record without a lock: the queue is its own."""
        for name, value in topic.fields.items():
            record.__dict__.setdefault(name, value)
        self.put(record)
        return True

    def put(self, record: logging.LogRecord | Note) -> None:
        """Have it written, as it is."""
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(record)
        else:
            self.lost += 1

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, for those who call it directly."""
        self.handle(record)


class Writer:
    """The one thread that formats and writes; many waiting records are one write."""

    def __init__(self, form: Format, stream: TextIO) -> None:
        self.queue: SimpleQueue[logging.LogRecord | Note | None] = SimpleQueue()
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
        records: list[logging.LogRecord | Note | None] = []
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

    def _gather(self, records: list[logging.LogRecord | Note | None]) -> None:
        records.append(self.queue.get())
        with suppress(Empty):
            while records[-1] is not None and len(records) < MOST_AT_ONCE:
                records.append(self.queue.get_nowait())

    def _line(self, record: logging.LogRecord | Note) -> str:
        try:
            return mask(self._form(record)) + "\n"
        except BaseException as error:  # noqa: BLE001  what cannot be shown is told as another
            whole = record_of(record) if isinstance(record, tuple) else record
            return mask(self._form(_unshowable(whole, error))) + "\n"


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
    form = Console().show if format == "console" else Json(app).show
    return Logs(level, form, stream or sys.stdout)
