"""Lines: a record of the log as a JSON object, or as a coloured line for eyes; no token in it."""

from __future__ import annotations

import json
import logging
import re
import time
from functools import lru_cache
from typing import Any, TypeAlias

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonEncoder, JsonFormatter

from bot import codec

MASK = "********"

_TOKEN = re.compile(r"[0-9]{6,}(?::|%3[Aa])[A-Za-z0-9_-]{30,}")
_SECRET_PART = re.compile(r":[A-Za-z0-9_-]{30}")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COLOURS = {"debug": 90, "info": 32, "warning": 33, "error": 31, "critical": 41}
_RESERVED = frozenset(RESERVED_ATTRS)
PLAIN = {str, int, float, bool, type(None)}

Note: TypeAlias = tuple[str, str, float, dict[str, object]]
"""Logger, event, seconds of the epoch, fields: a record of level INFO that nobody looks at before
it is written, so that it need not be made."""


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
    return _to_the_millisecond(int(seconds * 1000))


@lru_cache(maxsize=8)
def _to_the_millisecond(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def record_of(note: Note) -> logging.LogRecord:
    """The record that was not made."""
    name, event, created, fields = note
    level = {"levelname": "INFO", "levelno": logging.INFO}
    return logging.makeLogRecord(
        {**fields, **level, "name": name, "msg": event, "created": created}
    )


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller added to the record."""
    fields = record.__dict__
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
        fixed = self._of(record, record.message or message_dict.pop("event", ""))
        if "exc_info" in message_dict:
            message_dict["exception"] = message_dict.pop("exc_info")
        log_data.update(fixed | extras(record) | message_dict | fixed)

    def show(self, record: logging.LogRecord | Note) -> str:
        """The line of a record or a note."""
        if isinstance(record, logging.LogRecord):
            return self.format(record)
        logger, event, created, added = record
        return _whole(codec.dumps(self._fixed(event, created, "info", logger) | added))

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; what could break a line apart is escaped inside its strings."""
        bare = not (record.exc_info or record.exc_text or record.stack_info)
        if bare and type(record.msg) is str:  # nearly all; the whole way takes much longer
            fixed, added = self._of(record, record.getMessage()), extras(record)
            fields = fixed | added
            if len(fields) < len(fixed) + len(added):
                fields |= fixed
            plain = PLAIN.issuperset(map(type, fields.values()))
            return _whole(codec.dumps(fields) if plain else self._encode(fields))
        return escape(super().format(record))

    def _of(self, record: logging.LogRecord, event: str) -> dict[str, Any]:
        return self._fixed(event, record.created, record.levelname.lower(), record.name)

    def _fixed(self, event: str, created: float, level: str, logger: str) -> dict[str, Any]:
        """The fields that every line has."""
        return {
            "event": event,
            "timestamp": timestamp(created),
            "level": level,
            "app": self._app,
            "logger": logger,
        }


def _whole(line: str) -> str:
    """A line of JSON, without what could break it apart."""
    return line if line.isascii() and "\x7f" not in line else escape(line)


class Console(logging.Formatter):
    """One line a record, for eyes; a traceback follows it, set in so that it forges no line."""

    def show(self, record: logging.LogRecord | Note) -> str:
        """The line of a record or a note."""
        return self.format(record_of(record) if isinstance(record, tuple) else record)

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
