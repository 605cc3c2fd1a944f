"""The panel under gunicorn, as an operator starts it, and visitors who note each failure."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.serve import GUNICORN
from tests.chaos.town import ROOT
from tests.ports import free_port

PATIENCE = 30.0
READY = "panel_worker_ready"


class Answer:
    """An answer, read whole."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.text = answer.read().decode()

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.text)


class Served:
    """A gunicorn with the panel, on ports of its own; `options` are of gunicorn's command line.

    The last of them may name an application, of a control, by its module.
    """

    def __init__(self, folder: Path, database_url: str, *options: str, **environ: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.log = folder / "panel.log"
        plugins = folder / "plugins"
        plugins.mkdir(exist_ok=True)
        self.log.touch()
        self._folder = folder
        *command, app = (*GUNICORN[:-1], *options, GUNICORN[-1])
        app = command.pop() if command[-1].startswith("tests.") else app
        self._command = [sys.executable, *command, app]
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "SECRET_KEY": "k" * 32,
            "ADMIN_PORT": str(self.port),
            "ADMIN_METRICS_PORT": str(self.metrics_port),
            "PLUGINS_PATH": str(plugins),
            **environ,
        }
        self.process: subprocess.Popen[bytes]

    def begin(self) -> subprocess.Popen[bytes]:
        """Start it, and do not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def start(self) -> Self:
        """Start it, and wait until all its workers are there."""
        before = self.said(READY)
        self.begin()
        workers = int(self._environ.get("ADMIN_WORKERS", "2"))
        self.wait_for(lambda: self.said(READY) >= before + workers)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def ask(self, method: str, path: str, *, timeout: float = PATIENCE, **options: Any) -> Answer:
        """Ask for something over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, **options)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        """Ask for a page."""
        return self.ask("GET", path, **options)

    def workers(self) -> list[int]:
        """The processes that answer."""
        return [pid for pid in children(self.process.pid) if is_alive(pid)]

    def said(self, event: str) -> int:
        """How many lines of the log have an event."""
        return self.log.read_text().count(f'"event":"{event}"')

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the log, each of which must be JSON, perhaps those of one event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if event in ("", line["event"])]

    def wait_for(self, condition: Callable[[], Any], *, seconds: float = PATIENCE) -> None:
        """Wait until it holds. Raises AssertionError with the log."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.02)

    def counts(self) -> dict[str, float]:
        """All numbers that only go up, by their names and labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        connection.request("GET", "/metrics")
        answer = Answer(connection.getresponse())
        connection.close()
        assert answer.status == 200, answer.text
        lines = answer.text.splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(number) for name, _, number in pairs}


class Load:
    """Visitors who ask for pages, `rate` times a second together, and note what went wrong."""

    def __init__(
        self, served: Served, path: str, *, visitors: int = 4, rate: float = 80, **options: Any
    ) -> None:
        self.failures: list[str] = []
        self._statuses: list[int] = []
        self._served, self._path, self._pause = served, path, visitors / rate
        self._options = options
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(visitors)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> Counter[int]:
        """How often each status was the answer."""
        return Counter(self._statuses)

    def wait_for(self, count: int) -> None:
        """Wait until so many more were answered."""
        before = len(self._statuses)
        self._served.wait_for(lambda: len(self._statuses) >= before + count)

    def _visit(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                self._statuses.append(self._served.get(self._path, **self._options).status)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))


def children(pid: int) -> list[int]:
    """The children of a process, oldest first."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is not only waited for by its parent."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def kill(pid: int) -> None:
    """End a process with no chance to do anything."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
