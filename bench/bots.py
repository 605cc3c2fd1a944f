"""The bots that are measured: how each is set up, started, looked at and taken down."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import psycopg2

ROOT = Path(__file__).parent.parent
POSTGRES = os.environ.get("TEST_DATABASE_URL") or "postgresql://127.0.0.1:5432/postgres"
TOKEN = "123456789:bench_bench_bench_bench_bench_bench"  # noqa: S105
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, BOT_CORE = CORES[0], CORES[-1]

PEERS = {
    "pyTelegramBotAPI": "bench.peers.telebot_echo",
    "aiogram": "bench.peers.aiogram_echo",
}
ENGINES = {"Steadygram, SQLite": "sqlite", "Steadygram, PostgreSQL": "postgresql"}
NAMES = [*PEERS, *ENGINES]
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Unset: a start is measured with what Python keeps of the one before, as it does by itself."""


class Bot:
    """One started bot on its core, in a folder of its own; close it to leave nothing behind.

    `told=True` starts Steadygram under a profiler, in one thread. `command` is run instead of the
    bot's own, `output` is an open file to which it logs, `environ` more settings.
    """

    def __init__(
        self,
        name: str,
        port: int,
        *,
        told: bool = False,
        command: Sequence[str] = (),
        output: int | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="steadygram_bench_"))
        self.database = ""
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != NO_BYTECODE},
            "PYTHONPATH": str(ROOT),
            "TELEGRAM_API_URL": f"http://127.0.0.1:{port}",
            "TELEGRAM_BOT_TOKEN": TOKEN,
        }
        try:
            if name in ENGINES:
                self._prepare()
            self.environ |= environ
            own = ["-m", PEERS.get(name, "bench.where" if told else "bot"), "run"]
            self.process = self._start([*command] or own, output)
        except BaseException:
            self._clean()
            raise

    @property
    def metrics(self) -> str:
        """The address of its metrics."""
        return f"http://127.0.0.1:{self.environ['METRICS_PORT']}/metrics"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def cpu(self) -> float:
        """Seconds of CPU time so far, user and system, all threads."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory in MiB."""
        line = next(line for line in self._proc("status").splitlines() if line[:5] == "VmRSS")
        return int(line.split()[1]) / 1024

    def pin_database(self) -> None:
        """Keep the database server off the bot's core, where this process may say so."""
        if self.database:
            _pin({SERVER_CORE})

    def kept(self) -> dict[str, int]:
        """What the tables say was done: the proof that everything was on."""
        if self.name in PEERS:
            return {}
        if self.database:
            [row] = _ask(_beside(self.database), _KEPT)
        else:
            with sqlite3.connect(self.folder / "bench.db") as file:
                row = file.execute(_KEPT).fetchone()
        return dict(zip(("done", "counted", "events"), map(int, row)))

    def stop(self) -> int:
        """Ask for the end and wait for it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self) -> None:
        """End the bot if it runs and remove its files and its database."""
        if self.alive:
            self.process.kill()
            self.process.wait()
        self._clean()

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text()

    def _start(self, command: list[str], output: int | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=self.environ,
                stdout=output or log,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, {BOT_CORE}),  # noqa: PLW1509
            )

    def _prepare(self) -> None:
        """Everything on, and nothing that holds replies back; the tables are made."""
        if ENGINES[self.name] == "postgresql":
            self.database = f"steadygram_bench_{os.getpid()}_{secrets.token_hex(4)}"
            _do(f'CREATE DATABASE "{self.database}"')
        metrics, admin = free_ports()
        self.environ |= {
            "DATABASE_URL": _beside(self.database) if self.database else "sqlite:///bench.db",
            "ENVIRONMENT": "production",
            "SECRET_KEY": secrets.token_urlsafe(32),
            "PLUGINS_PATH": f"{ROOT / 'plugins'}:{ROOT / 'bench/plugins'}",
            "METRICS_PORT": str(metrics),
            "ADMIN_PORT": str(admin),
            "THROTTLE_RATE": "1000",
            "THROTTLE_BURST": "1000",
            "REDIS_URL": "",
            "SEND_RATE": "0",
            "SEND_RATE_CHAT": "0",
            "SEND_RATE_GROUP": "0",
            "LOG_LEVEL": "INFO",
            "LOG_FORMAT": "json",
        }
        if code := self._start(["-m", "bot", "migrate"]).wait():
            raise RuntimeError(f"migrate gave {code}: {(self.folder / 'log').read_text()}")

    def _clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.database:
            _do(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')
            _pin(set(CORES))


_KEPT = (
    "SELECT (SELECT COUNT(*) FROM inbox WHERE state = 'done'),"
    " (SELECT SUM(total_messages) FROM users),"
    " (SELECT COUNT(*) FROM analytics_events WHERE event_type = 'message')"
)


def has_postgres() -> bool:
    """Whether a PostgreSQL answers."""
    try:
        psycopg2.connect(POSTGRES, connect_timeout=2).close()
    except psycopg2.Error:
        return False
    return True


def _pin(cores: set[int]) -> None:
    """Keep the processes of the database server on some cores, and what it starts from now on."""
    pids = [pid for (pid,) in _ask(POSTGRES, "SELECT pid FROM pg_stat_activity")]
    for pid in {*pids, *map(_parent, pids)}:
        with suppress(OSError):
            os.sched_setaffinity(pid, cores)


def _parent(pid: int) -> int:
    """The process that started another one; the same where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return pid


def _beside(name: str) -> str:
    return urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()


def _ask(url: str, sql: str, *values: str) -> list[tuple[int, ...]]:
    connection = psycopg2.connect(url, connect_timeout=2)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()
    finally:
        connection.close()


def _do(sql: str) -> None:
    connection = psycopg2.connect(POSTGRES, connect_timeout=2)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    finally:
        connection.close()


def free_ports() -> tuple[int, int]:
    """Two ports on which nothing listens."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        return one.getsockname()[1], other.getsockname()[1]
