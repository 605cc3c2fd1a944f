"""`python -m bot reload`: which process is asked, and what is said of how it ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot import hail
from bot.hail import Refused, call, look, reload
from bot.lease import Lease, _namespace, _started, identity
from database import Database, bind, open_database
from models import Lease as Row
from services import migrations, reloads
from settings import SANDBOX_TOKEN, Settings
from settings import load as load_settings

NAME = f"poller:{SANDBOX_TOKEN.partition(':')[0]}"
HUNG = """
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""


def owner_of(pid: int) -> str:
    return f"{socket.gethostname()}/{_namespace()}/{pid}/{_started(pid)}"


@contextmanager
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with 7 on a SIGHUP."""
    with subprocess.Popen([sys.executable, "-c", HUNG], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        yield child
        child.kill()


@pytest.fixture
def settings(empty_database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a bot whose tables are made."""
    database = open_database(empty_database_url)
    migrations.migrate(database, [migrations.core()])
    yield load_settings({"DATABASE_URL": empty_database_url}, folder=tmp_path)
    database.close_all()


@contextmanager
def opened(settings: Settings) -> Iterator[None]:
    database = bind(open_database(settings.database_url.reveal()))
    with database.connection_context():
        yield
    database.close_all()


def hold(settings: Settings, owner: str) -> None:
    """Let an owner have the lease."""
    with opened(settings):
        Row.insert(name=NAME, owner=owner, fence=3, beats=0).execute()


def said_by(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    """What a reload that is refused says."""
    assert reload(settings) == 1
    said = capsys.readouterr()
    assert not said.out
    return said.err


def test_without_a_process_there_is_nothing_to_reload(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither before the first start, nor after a clean end, nor after a crash."""
    sentence = "No process runs this bot: start it with `python -m bot run`.\n"
    assert said_by(settings, capsys) == sentence
    hold(settings, "")
    assert said_by(settings, capsys) == sentence


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_pid_that_is_anothers_by_now_is_left_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start time tells them apart: the bot is gone, and the other process gets no signal."""
    with another_process() as other:
        hold(settings, owner_of(other.pid) + "0")
        assert "No process runs this bot" in said_by(settings, capsys)
        assert other.poll() is None


@pytest.mark.parametrize("place", ["host", "container"])
def test_a_process_elsewhere_is_named(
    settings: Settings, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """Another machine's, or another container's: the pid here is a stranger's."""
    host, namespace = socket.gethostname(), "another"
    if place == "host":
        host, namespace = "far-away", _namespace()
    with another_process() as other:
        hold(settings, f"{host}/{namespace}/{other.pid}/{_started(other.pid)}")
        said = said_by(settings, capsys)
        assert f"process {other.pid} on {host}, which cannot be reached from here" in said
        assert "`python -m bot reload` there" in said
        assert other.poll() is None


def test_the_very_process_is_asked_and_its_end_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """It gets a SIGHUP; one that ends of it is no success."""
    with another_process() as bot:
        hold(settings, owner_of(bot.pid))
        assert "The process that ran this bot has ended: see its log." in said_by(settings, capsys)
        assert bot.wait(5) == 7


def test_a_process_of_another_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says whose it must be."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    with pytest.raises(Refused, match=f"Process {os.getpid()}, .*Operation not permitted.*user"):
        call({NAME: (identity(), 1)})


def test_a_process_that_has_just_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may end between the look and the signal."""
    dead = iter([False, True])
    monkeypatch.setattr(hail, "is_dead", lambda owner: next(dead))
    with pytest.raises(Refused, match="has just ended"):
        call({NAME: (identity(), 1)})


def test_what_is_looked_for(database: Database) -> None:
    """The same owner with a new fence is the renewed one; anything else is said."""
    me = identity()
    assert look(NAME, me, 3, (me, 4), 10.0)
    assert not look(NAME, me, 3, (me, 3), 10.0)
    with pytest.raises(Refused, match="Another process took this bot over"):
        look(NAME, me, 3, ("other", 4), 10.0)
    reloads.refuse(NAME, me, 9.0, "an older one")
    assert not look(NAME, me, 3, (me, 3), 10.0)
    reloads.refuse(NAME, me, 11.0, "odd.py:1: wrong")
    with pytest.raises(Refused, match=r"goes on as it was:\nodd.py:1: wrong"):
        look(NAME, me, 3, (me, 3), 10.0)


def test_nobody_waits_for_ever(database: Database) -> None:
    """After the longest reload the log is pointed at."""
    Row.insert(name=NAME, owner=identity(), fence=3, beats=0).execute()
    with pytest.raises(Refused, match="has not reloaded within 0 s"):
        hail.wait({NAME: (identity(), 3)}, time.monotonic() - 0.01, longest=0.01)


def test_a_reload_is_seen_and_timed(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds the lease takes it again under the next fence: exit code 0."""
    hold(settings, identity())

    def begin_anew(owner: str) -> None:
        assert owner == identity()
        assert Lease(NAME).step()

    monkeypatch.setattr(hail, "hail", begin_anew)
    assert reload(settings) == 0
    assert capsys.readouterr().out.startswith("Reloaded in 0.")


def test_an_unfit_database_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No tables, no traceback."""
    settings = load_settings({"DATABASE_URL": f"sqlite:///{tmp_path}/no.db"}, folder=tmp_path)
    assert "The database of DATABASE_URL cannot be used: no such table" in said_by(settings, capsys)
