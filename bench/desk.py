"""The panel as it is served, and an empty page beside it: started, looked at and ended."""

from __future__ import annotations

import http.client
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from flask import Flask

from admin.app import create_app
from admin.panel import Panel
from bench.bots import ROOT, free_ports
from bot.registry import Registry
from database import now
from services import sessions
from settings import Secret, Settings
from staff import Admin, StaffRole
from tests.plans import Listener

Statement: TypeAlias = tuple[str, Any]
COOKIE = "steadygram"
WORKERS = 2
TICK: int = os.sysconf("SC_CLK_TCK")


class Served:
    """A gunicorn with two workers, in a process group of its own."""

    def __init__(self, *command: str, **environ: str) -> None:
        self.port, metrics = free_ports()
        self.folder = Path(tempfile.mkdtemp(prefix="steadygram_bench_"))
        self.command = [sys.executable, "-m", "gunicorn", *command]
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ADMIN_PORT": str(self.port),
            "ADMIN_METRICS_PORT": str(metrics),
            "ADMIN_WORKERS": str(WORKERS),
            "SECRET_KEY": secrets.token_urlsafe(32),
            "PLUGINS_PATH": str(ROOT / "plugins"),
            "LOG_LEVEL": "WARNING",
            **environ,
        }

    def __enter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environ, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu(self) -> float:
        """Seconds of CPU time that the workers have used."""
        return sum(map(seconds, self._workers()))

    def memory(self) -> float:
        """Resident memory of the workers in MiB."""
        size = os.sysconf("SC_PAGESIZE")
        pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self._workers()]
        return sum(map(int, pages)) * size / 2**20

    def _workers(self) -> list[int]:
        pid = self.process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _answers(self) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request("GET", "/healthz")
            client.getresponse().read()
        except OSError:
            return False
        finally:
            client.close()
        return len(self._workers()) == WORKERS


class Desk(Served):
    """The panel on a database."""

    def __init__(self, url: str) -> None:
        command = ("-c", "python:admin.gunicorn", "admin.wsgi:app")
        super().__init__(*command, DATABASE_URL=url, ENVIRONMENT="development")


class Peer(Served):
    """An empty page of Flask, served in the same way; the database is only looked at."""

    def __init__(self, url: str) -> None:
        command = ("-c", "python:admin.gunicorn", "bench.peers.empty_page:app")
        super().__init__(*command, DATABASE_URL=url)


def seconds(pid: int) -> float:
    """CPU time of a process; 0 for one that is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    return 0.0


def sign_in() -> str:
    """Make an account and a session of it; give what the cookie holds."""
    admin, _ = Admin.get_or_create(name="bench", defaults={"role": StaffRole.OWNER})
    return sessions.begin(admin, address="127.0.0.1", agent="bench", at=now())


def open_app() -> Flask:
    """The panel in this process, on the bound database."""
    return create_app(Panel(Settings(secret_key=Secret("k" * 32)), Registry()))


def heard(app: Flask, path: str, token: str) -> list[Statement]:
    """The statements that a page runs, when it is asked for the second time."""
    browser = app.test_client()
    browser.set_cookie(COOKIE, token)
    browser.get(path)
    listener, log = Listener(), logging.getLogger("peewee")
    before = log.level
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    try:
        answer = browser.get(path)
    finally:
        log.removeHandler(listener)
        log.setLevel(before)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return listener.heard
