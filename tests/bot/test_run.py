"""Building and running the process from the settings, and what a person must mend first."""

from __future__ import annotations

import dataclasses
import logging
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

import bot.run
import bot.tables
from bot.loader import load, sources
from bot.process import Process
from bot.run import build, catch_up, main
from bot.tables import refuse_pending
from database import Database, bind, open_database
from models import Bot
from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Telegram
from services import migrations
from settings import SANDBOX_TOKEN, Settings, SettingsError
from settings import load as load_settings
from tests.bot.test_process import wait_for
from tests.ports import free_port

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture
def telegram() -> Iterator[str]:
    """The address of a Bot API."""
    server = open_server(make_app(Telegram()), 0)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(
    empty_database_url: str, telegram: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The settings of a bot that is ready to run, but for its tables."""
    monkeypatch.setattr(bot.run, "settle", int)  # what is garbage here must not stay for good
    environ = {
        "DATABASE_URL": empty_database_url,
        "TELEGRAM_API_URL": telegram,
        "TELEGRAM_BOT_TOKEN": SANDBOX_TOKEN,
        "PLUGINS_PATH": str(PLUGINS),
        "METRICS_PORT": str(free_port()),
        "LOG_LEVEL": "WARNING",
        "BOT_THREADS": "2",
    }
    return load_settings(environ, folder=tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, migrated."""
    database = bind(open_database(settings.database_url.reveal()))
    migrations.migrate(database, sources(load([PLUGINS])))
    yield database
    database.close_all()


def test_a_built_process_runs_and_ends(settings: Settings, database: Database) -> None:
    """From the settings to a bot that knows its name, and to exit code 0 on SIGTERM."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    def end() -> None:
        with database.connection_context():
            wait_for(lambda: Bot.select().count() == 1)
        signal.raise_signal(signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    assert main(settings) == 0
    thread.join()
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before):
        signal.signal(number, handler)
    assert Bot.get().username == "sandbox_bot"


def test_a_restart_begins_anew(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ended to begin again is replaced after its logs are written."""
    begun: list[int] = []
    monkeypatch.setattr(bot.run, "begin_again", lambda: begun.append(1))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "bot", "run"])

    def run(process: Process) -> int:
        process.restart()
        return process.code

    monkeypatch.setattr(Process, "run", run)
    assert main(settings) == 0 and begun == [1]
    elsewhere = dataclasses.replace(settings, metrics_port=free_port())
    assert main(elsewhere) == 0 and sys.orig_argv == ["python", "-m", "bot", "run", "--again"]


def test_pending_migrations_are_refused(settings: Settings) -> None:
    """The sentence names them and the command to run."""
    with pytest.raises(SettingsError, match=r"core/001_initial.*python -m bot migrate"):
        build(settings)


def test_a_plugin_saved_in_the_moment_of_a_reload_is_migrated(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that takes another's place migrates once more; what fails is said."""
    database = bind(open_database(settings.database_url.reveal()))
    registry = load([PLUGINS])
    ran: list[tuple[str, ...]] = []

    def run(*verb: str) -> str | None:
        ran.append(verb)
        migrations.migrate(database, sources(registry))
        return "the disk is full" if len(ran) > 1 else None

    monkeypatch.setattr(bot.run, "run_verb", run)
    catch_up(database, registry)
    catch_up(database, registry)
    assert ran == [("migrate",)]
    migrations.rollback(database, sources(registry), "core")
    catch_up(database, registry)
    assert "the disk is full" in caplog.text
    database.close_all()


def test_failures_are_counted_from_nothing(settings: Settings, database: Database) -> None:
    """Each handler's series is there before anything was handled, those of steps too."""
    parts = build(settings).core.parts
    for handler in ("none", "trial.ping", "trial.named", "oldstyle.broken"):
        labels = {"handler": handler, "status": "error"}
        assert parts.metrics.registry.get_sample_value("bot_messages_total", labels) == 0
    parts.courier.close()


def test_an_unfit_address_is_one_sentence(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """A token is never sent to Telegram unencrypted."""
    environ = {
        "DATABASE_URL": settings.database_url.reveal(),
        "TELEGRAM_API_URL": "http://api.telegram.org",
        "TELEGRAM_BOT_TOKEN": SANDBOX_TOKEN,
        "PLUGINS_PATH": str(PLUGINS),
    }
    with pytest.raises(SettingsError, match="https"):
        build(load_settings(environ, folder=tmp_path))


def test_webhook_mode_is_said_to_be_missing(settings: Settings, tmp_path: Path) -> None:
    """What this release lacks is refused at once."""
    environ = {
        "BOT_MODE": "webhook",
        "WEBHOOK_URL": "https://example.org",
        "WEBHOOK_SECRET": "s" * 40,
    }
    with pytest.raises(SettingsError, match="polling"):
        main(load_settings(environ, folder=tmp_path))


def test_a_database_that_is_away_is_waited_for(
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the start too an outage is waited out; a mistake is not."""
    caplog.set_level(logging.WARNING)
    real, waits = migrations.pending, list[float]()
    troubles = [psycopg2.OperationalError("could not connect to server")]

    def pending(*arguments: object) -> list[str]:
        if troubles:
            raise troubles.pop()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(migrations, "pending", pending)
    monkeypatch.setattr(bot.tables, "sleep", waits.append)
    refuse_pending(database, load([PLUGINS]))
    assert waits == [1.0] and "waiting for the database" in caplog.text
    troubles.append(ValueError("a bug"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a bug"):
        refuse_pending(database, load([PLUGINS]))


def test_redis_is_optional(settings: Settings, redis_url: str, tmp_path: Path) -> None:
    """With REDIS_URL the throttle has a store; without it none."""
    with_redis = load_settings({"REDIS_URL": redis_url}, folder=tmp_path)
    store = bot.run._store(with_redis)
    assert store is not None and store.ping()
    store.close()
    assert bot.run._store(settings) is None


HEAPS = """
import platform, threading
from bot.run import share_heap
if {shared}:
    share_heap()
gate = threading.Barrier(9)
def fill():
    kept = [b"x" * 5000 for _ in range(200)]
    gate.wait()
    return kept
threads = [threading.Thread(target=fill) for _ in range(8)]
[thread.start() for thread in threads]
size = lambda line: int.__sub__(*(int(end, 16) for end in reversed(line.split()[0].split("-"))))
heaps = [line for line in open("/proc/self/maps") if "---p" in line and 60e6 < size(line) < 68e6]
gate.wait()
print(len(heaps))
"""
"""Threads that need memory, and how many heaps of their own glibc made for them."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc makes heaps for threads")
def test_threads_share_one_heap() -> None:
    """None gets its own, which it would keep; without a word to the library several do."""
    told = [
        subprocess.run(
            [sys.executable, "-c", HEAPS.format(shared=shared)], capture_output=True, check=True
        ).stdout
        for shared in (True, False)
    ]
    assert int(told[0]) == 0 < int(told[1])
