"""Servers of a test's own, to be killed at will: a PostgreSQL and a Redis on free ports."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg2
import redis

from tests.conftest import REQUIRED
from tests.ports import free_port

POSTGRES = next(
    iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None
)
REDIS = shutil.which("redis-server")
HAS_OWN_POSTGRES = REQUIRED or POSTGRES is not None
HAS_OWN_REDIS = REQUIRED or REDIS is not None


class Server:
    """A child process that serves on a port; it runs as `user`, if given, when we are root."""

    def __init__(
        self, command: Sequence[str], answers: Callable[[], object], user: str = ""
    ) -> None:
        self._command = command
        self._answers = answers
        root = os.getuid() == 0
        self._as: Any = {"user": user, "group": user, "extra_groups": ()} if user and root else {}
        self.folder = Path(tempfile.mkdtemp(prefix="steadygram-"))
        if self._as:
            shutil.chown(self.folder, user, user)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, stdout=log, stderr=log, **self._as
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                self._answers()
                return
            except (psycopg2.Error, redis.RedisError):
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal, and wait until it is gone."""
        self.send(number)
        assert self._process is not None
        self._process.wait(20)

    def close(self) -> None:
        """End it if it runs, and remove what it wrote."""
        if self._process is not None and self._process.poll() is None:
            self.send(signal.SIGCONT)
            self.stop(signal.SIGQUIT if "postgres" in self._command[0] else signal.SIGKILL)
        shutil.rmtree(self.folder)


class OwnPostgres(Server):
    """A PostgreSQL with one empty database; `crash` is `pg_ctl stop -m immediate`."""

    def __init__(self) -> None:
        assert POSTGRES is not None, "PostgreSQL's server is needed"
        port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-D", "data"]
        super().__init__([str(POSTGRES), *options], self._connect, "postgres")
        make = [str(POSTGRES.with_name("initdb")), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*make, "--no-sync", "-D", "data"],
            cwd=self.folder,
            check=True,
            capture_output=True,
            **self._as,
        )

    def crash(self) -> None:
        """End it as a fall of the machine would: nothing is finished, nothing is written."""
        self.stop(signal.SIGQUIT)

    def _connect(self) -> None:
        psycopg2.connect(self.url, connect_timeout=1).close()


class OwnRedis(Server):
    """A Redis that keeps nothing on the disk: killed, it is empty."""

    def __init__(self) -> None:
        assert REDIS is not None, "redis-server is needed"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", "."]
        self.client = redis.Redis(port=self.port, socket_timeout=1)
        super().__init__([REDIS, *options], self.client.ping)

    def close(self) -> None:
        """End it if it runs."""
        self.client.close()
        super().close()
