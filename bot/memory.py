"""What stands in for the world outside the test kit: a wire in memory, time moved by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from bot import codec
from bot.form import File
from bot.wire import Ambiguous, NeverSent, Reply
from database import now
from sandbox.telegram import ConnectionCut, Telegram
from sandbox.telegram import File as SentFile
from settings import Secret


class MemoryWire:
    """A wire that ends in a Telegram of this process instead of a socket."""

    def __init__(self, telegram: Telegram) -> None:
        self.telegram = telegram

    def exchange(
        self,
        token: Secret,
        method: str,
        fields: Mapping[str, str],
        files: Mapping[str, File] | None = None,
        timeout: tuple[float, float] = (10, 30),
    ) -> Reply:
        """Call the method in memory; a cut by the fault switches is what a socket would say."""
        sent = {name: _sent(file) for name, file in (files or {}).items()}
        try:
            answer = self.telegram.call(token.reveal(), method, fields, sent)
        except ConnectionCut as cut:
            raise (Ambiguous if cut.sent else NeverSent)("the connection was cut") from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, headers, codec.dumps(answer.body).encode())

    def fetch(
        self, token: Secret, file_path: str, timeout: tuple[float, float] = (10, 30)
    ) -> Reply:
        """Get a file that somebody sent."""
        file = self.telegram.file(file_path)
        missing = b'{"ok": false, "error_code": 404, "description": "Not Found"}'
        return Reply(200, {}, file.data) if file else Reply(404, {}, missing)


def _sent(file: File) -> SentFile:
    data = file.data if isinstance(file.data, bytes) else file.data.read()
    return SentFile(file.name, data, file.mime)


class Clock:
    """The time of a kit: the real one, moved on by hand and by all that waits for Telegram."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        """The time as the tables keep it."""
        return now() + self.moved

    def unix(self) -> float:
        """The time in seconds since 1970, as Telegram dates things."""
        return time.time() + self.moved.total_seconds()

    def timer(self) -> float:
        """Seconds that were waited; what is not waited for takes no time."""
        return self.moved.total_seconds()

    def wait(self, seconds: float) -> bool:
        """Let so many seconds pass at once; False: nothing is given up."""
        self.moved += timedelta(microseconds=max(1, ceil(seconds * 1e6)))
        return False


class Patience:
    """A timer for Telegram's long polls that passes at once instead of being waited for."""

    def __init__(self) -> None:
        self.now = 0.0

    def timer(self) -> float:
        """The seconds that were waited so far."""
        return self.now

    def wait(self, _condition: threading.Condition, seconds: float | None = None) -> None:
        """Let the time pass."""
        self.now += seconds or 1.0
