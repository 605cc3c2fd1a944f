"""Backups: whole, of one moment, readable on both engines, and refused when a byte is off."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from peewee import Model

from bot.backup import backup, restore, write
from bot.loader import collect, sources
from bot.safekeeping import make
from database import Database, Sqlite, bind, now, open_database
from models import AnalyticsEvent, Failure, Inbox, Lease, PluginSwitch, Suspension, User
from services import archives, envelopes, restores
from services.migrations import migrate
from services.snapshots import rows, snapshot
from settings import Secret, Settings, SettingsError
from staff import TABLES, AuditEntry, DailyFigure
from tests.conftest import ENGINES

PLUGINS = (Path(__file__).parent.parent.parent / "plugins",)
REGISTRY = collect(PLUGINS)


ON_SQLITE = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
"""For what is the same on both engines."""


@pytest.fixture(scope="module")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table, to be copied: that is faster than migrating."""
    path = tmp_path_factory.mktemp("migrated") / "test.db"
    migrate_all(f"sqlite:///{path}")
    return path


@pytest.fixture(params=ENGINES)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database whose tables are made and empty, on each engine."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("_sqlite"), tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    migrate_all(url)
    return url


def migrate_all(url: str) -> None:
    """Make every table of the core and of the plugins."""
    database = open_database(url)
    migrate(database, sources(REGISTRY))
    database.close_all()


@pytest.fixture
def settings(migrated_url: str) -> Settings:
    """Settings of an installation whose tables are made."""
    return Settings(database_url=Secret(migrated_url), plugins_path=PLUGINS)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Its database, open and bound, with some rows."""
    database = bind(open_database(settings.database_url.reveal()))
    database.connect()
    first = User.create(telegram_id=1, first_name="Ада\u2028", username="ada", role="owner")
    second = User.create(telegram_id=2, first_name="Bob 🐦", referrer=first)
    User.update(referrer=second.id).where(User.id == first.id).execute()  # a ring: either way round
    AnalyticsEvent.create(event_type="message", user=first, data={"n": [1, None, "x"]})
    Inbox.create(bot_id=7, update_id=9, lane=1, kind="message", state="new", payload="{}")
    Lease.create(name="x", owner="y", fence=1, beats=1)
    yield database
    if not database.is_closed():
        database.close()
    database.close_all()


def elsewhere(settings: Settings, url: str) -> Settings:
    """The same installation on another database."""
    return replace(settings, database_url=Secret(url))


def held(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables that a backup has."""
    bind(database)
    names = {model._meta.table_name: model for model in TABLES if model is not Lease}
    return {
        name: sorted((tuple(row.__data__.items()) for row in model.select()), key=repr)
        for name, model in names.items()
    }


@pytest.mark.parametrize("secret", [None, "correct horse battery"], ids=["plain", "sealed"])
def test_what_is_backed_up_comes_back(
    settings: Settings, database: Database, tmp_path: Path, secret: str | None
) -> None:
    """Every row of every table, on a new SQLite database, and new rows are numbered after them."""
    passphrase = None
    if secret:
        passphrase = tmp_path / "passphrase"
        passphrase.write_text(f"{secret}\n")
    before = held(database)
    assert backup(settings, tmp_path / "b.zip", passphrase=passphrase) == 0
    there = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}")
    assert restore(there, tmp_path / "b.zip", passphrase=passphrase) == 0
    new = open_database(there.database_url.reveal())
    assert held(new) == before
    assert Lease.select().count() == 0
    assert User.create(telegram_id=3, first_name="C").id == 3
    new.close()
    new.close_all()


@ON_SQLITE
@pytest.mark.parametrize("whole", [True, False])
def test_a_restore_that_fails_leaves_no_row(
    settings: Settings,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
) -> None:
    """What was put in before is gone; without the transaction, the control, it stays."""
    assert backup(settings, tmp_path / "b.zip") == 0
    there, put = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}"), restores._put

    def fail(model: type[Model], file: BinaryIO) -> int:
        if model is AnalyticsEvent:
            assert User.select().count() == 2
            raise MemoryError
        return put(model, file)

    monkeypatch.setattr(restores, "_put", fail)
    if not whole:
        monkeypatch.setattr(Sqlite, "atomic", lambda self: nullcontext())
    with pytest.raises(MemoryError):
        restore(there, tmp_path / "b.zip")
    new = open_database(there.database_url.reveal())
    assert any(held(new).values()) is not whole
    new.close_all()


@ON_SQLITE
def test_a_backup_goes_from_sqlite_to_postgres(
    settings: Settings, tmp_path: Path, postgres_url: str
) -> None:
    """An archive is read on either engine; numbers go on after the rows that came."""
    database = bind(open_database(settings.database_url.reveal()))
    User.create(telegram_id=1, first_name="A", created_at=now())
    before = held(database)
    backup(settings, tmp_path / "b.zip")
    there = elsewhere(settings, postgres_url)
    assert restore(there, tmp_path / "b.zip") == 0
    new = bind(open_database(postgres_url))
    with new.connection_context():
        assert held(new) == before
        assert User.create(telegram_id=3, first_name="C").id == 2
    new.close_all()


def test_a_full_database_is_left_as_it_is(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Restoring into one that holds rows is refused, also when it is only tried."""
    backup(settings, tmp_path / "b.zip")
    before = held(database)
    assert restore(settings, tmp_path / "b.zip", dry=True) == 1
    assert restore(settings, tmp_path / "b.zip") == 1
    assert "restore into an empty database" in capsys.readouterr().err
    bind(database)
    assert held(database) == before


@ON_SQLITE
def test_a_dry_run_changes_nothing(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what would come back."""
    backup(settings, tmp_path / "b.zip")
    there = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}")
    assert restore(there, tmp_path / "b.zip", dry=True) == 0
    assert "It would be restored" in capsys.readouterr().out
    assert open_database(there.database_url.reveal()).get_tables() == []


@ON_SQLITE
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_a_changed_or_short_file_is_refused(
    settings: Settings, database: Database, tmp_path: Path, sealed: bool
) -> None:
    """One byte that is another, or an end that is missing: nothing is restored."""
    path, passphrase = tmp_path / "b.zip", tmp_path / "p"
    passphrase.write_text("correct horse battery")
    secret = passphrase if sealed else None
    backup(settings, path, passphrase=secret)
    whole = path.read_bytes()
    there = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}")
    for share in (0.5,) if sealed else (0.1, 0.5, 0.99):  # a seal takes its time to open
        at = int(share * len(whole))
        for broken in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(broken)
            assert restore(there, path, passphrase=secret) == 1
            assert not (tmp_path / "new.db").exists()


@ON_SQLITE
def test_another_passphrase_opens_nothing(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does none."""
    for name, words in (("right", "correct horse battery"), ("wrong", "incorrect horse batt")):
        (tmp_path / name).write_text(words)
    backup(settings, tmp_path / "b", passphrase=tmp_path / "right")
    there = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}")
    assert restore(there, tmp_path / "b", passphrase=tmp_path / "wrong") == 1
    assert restore(there, tmp_path / "b") == 1
    assert "passphrase" in capsys.readouterr().err
    (tmp_path / "short").write_text("short")
    with pytest.raises(SettingsError, match="12 characters"):
        backup(settings, tmp_path / "c", passphrase=tmp_path / "short")


@ON_SQLITE
def test_a_backup_of_another_release_is_refused(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its tables are others: the release and the plugins of its time are named."""
    with (tmp_path / "b.zip").open("w+b") as file, snapshot(database) as read:
        archives.write(file, read, [User], migrations=["core/999_x"], version="9.9", at=now())
    there = elsewhere(settings, f"sqlite:///{tmp_path / 'new.db'}")
    assert restore(there, tmp_path / "b.zip") == 1
    assert "release 9.9" in capsys.readouterr().err


def test_a_backup_is_of_one_moment(settings: Settings, database: Database, tmp_path: Path) -> None:
    """While rows are added in pairs, a backup never has half of one; writers do not wait."""
    stop, added = threading.Event(), [0]

    def add() -> None:
        with database.connection_context():
            while not stop.is_set():
                number = added[0] = added[0] + 1
                with database.atomic():
                    AnalyticsEvent.create(event_type=f"pair{number}")
                    Failure.create(
                        bot_id=1, update_id=number, plugin="p", handler="h", error="E",
                        message="", traceback="", fingerprint=f"pair{number}",
                    )  # fmt: skip

    thread = threading.Thread(target=add)
    thread.start()
    counted = []
    for round_ in range(4):
        seen = added[0]
        path = tmp_path / f"{round_}.zip"
        counts = write(database, REGISTRY, path, secret=None, at=now())
        counted.append((counts["analytics_events"] - 1, counts["failures"]))
        assert counts["failures"] >= seen - 1
    stop.set()
    thread.join()
    assert all(events == failures for events, failures in counted), counted
    assert added[0] > counted[0][1]


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_no_row_is_left_out_between_two_batches(database: Database, batch: int) -> None:
    """Whatever the key is made of, and wherever its columns stand."""
    for number in range(7):
        row = {"lane": 1, "kind": "message", "state": "new", "payload": "{}"}
        Inbox.create(bot_id=5 + number % 2, update_id=number, **row)
        DailyFigure.create(day=now().date(), name=f"figure {number}", value=number)
        Suspension.create(plugin=f"p{number}", until=now(), times=1, failure="", traceback="")
    with snapshot(database) as read:
        for model in (Inbox, DailyFigure, Suspension, PluginSwitch):
            whole = sorted(model.select().dicts(), key=repr)
            assert sorted(rows(read, model, batch=batch), key=repr) == whole


@ON_SQLITE
def test_an_interrupted_backup_leaves_no_file(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """A backup that fails in the middle is not there, and the one before it still is."""
    path = tmp_path / "b.zip"
    backup(settings, path)
    before = path.read_bytes()
    AuditEntry._meta.table_name = "no_such_table"
    try:
        with pytest.raises(SettingsError):
            backup(settings, path)
    finally:
        AuditEntry._meta.table_name = "audit"
    assert path.read_bytes() == before and [each.name for each in tmp_path.glob(".*")] == []


@ON_SQLITE
def test_the_daily_job_runs_the_verb(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives None when the file is there, and what went wrong when it is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS[0].parent))
    monkeypatch.setenv("PLUGINS_PATH", str(PLUGINS[0]))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.reveal())
    monkeypatch.setenv("BACKUP_PASSPHRASE", "correct horse battery")
    assert make(threading.Event())(tmp_path / "b") is None
    sealed = replace(settings, backup_passphrase=Secret("correct horse battery"))
    there = elsewhere(sealed, f"sqlite:///{tmp_path / 'new.db'}")
    assert restore(there, tmp_path / "b") == 0
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    assert "Migrations are pending" in (make(threading.Event())(tmp_path / "c") or "")


@pytest.mark.parametrize(
    "size", [0, 1, envelopes.PIECE - 1, envelopes.PIECE, envelopes.PIECE * 2 + 5]
)
def test_a_seal_gives_back_what_was_put_in(size: int) -> None:
    """At the edges of its pieces too; a piece that is left out is noticed."""
    data = bytes(range(256)) * (size // 256 + 1)
    file = seal(data[:size])
    assert envelopes.is_sealed(file)
    assert unseal(file) == data[:size]
    if size > envelopes.PIECE:
        whole, piece = file.getvalue(), envelopes.PIECE + envelopes.TAG
        with pytest.raises(envelopes.Broken):
            unseal(io.BytesIO(whole[: envelopes.HEAD] + whole[envelopes.HEAD + piece :]))


def seal(data: bytes) -> io.BytesIO:
    """Sealed with little work, ready to be read."""
    file = io.BytesIO()
    sealing = envelopes.Sealing(file, b"correct horse", work=4)
    sealing.write(data)
    sealing.close()
    file.seek(0)
    return file


def unseal(file: io.BytesIO) -> bytes:
    into = io.BytesIO()
    envelopes.unseal(file, b"correct horse", into)
    return into.getvalue()


def test_a_changed_head_is_refused() -> None:
    """A salt that is another one, an amount of work that no machine has, an end in the middle."""
    whole = seal(b"x" * 100).getvalue()
    place = envelopes.HEAD - 1
    for changed in (
        *(whole[:place] + bytes([work]) + whole[place + 1 :] for work in (0, 5, 64)),
        whole[: place - 1] + bytes([whole[place - 1] ^ 1]) + whole[place:],
        whole[:place],
    ):
        with pytest.raises(envelopes.Broken):
            unseal(io.BytesIO(changed))
