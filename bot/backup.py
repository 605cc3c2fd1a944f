"""What `python -m bot backup` and `restore` do: the whole database in one file, and back."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import peewee

from bot.loader import collect, problems, sources
from bot.opened import opened
from bot.registry import Registry
from database import Database, now
from models import Erasure, Lease
from services import archives, envelopes, restores
from services.archives import Unfit
from services.migrations import migrate, pending
from services.snapshots import snapshot
from settings import VERSION, Settings, SettingsError
from staff import TABLES, Attempt, Link, Session

PASSING: list[type[peewee.Model]] = [Attempt, Erasure, Lease, Link, Session]
"""What belongs to running processes and to browsers: a restored installation begins without."""


def give_way() -> None:
    """Let the bot go first, and leave no dump of memory, which would hold what is in the rows."""
    with suppress(OSError):  # where the service may not
        os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def backup(settings: Settings, path: Path, *, passphrase: Path | None = None) -> int:
    """Write a backup that is whole or not there, and say what is in it."""
    registry = _registry(settings)
    with opened(settings) as database:
        counts = write(database, registry, path, secret=_secret(settings, passphrase), at=now())
    size = path.stat().st_size
    print(f"{path}: {sum(counts.values()):,} rows of {len(counts)} tables, {size:,} bytes.")
    return 0


def restore(
    settings: Settings, path: Path, *, passphrase: Path | None = None, dry: bool = False
) -> int:
    """Put a backup into an empty database, all of it or nothing, and say what came back."""
    registry = _registry(settings)
    try:
        with _archive(path, _secret(settings, passphrase)) as file:
            contents = archives.verify(file)
            restores.check(contents, _models(registry), _names(registry))
            print(_about(path, contents))
            if dry:
                return _rehearse(settings, registry)
            with opened(settings) as database:
                migrate(database, sources(registry))
                with database.connection_context():
                    restores.restore(database, file, contents, _models(registry))
    except (Unfit, envelopes.Broken) as error:
        print(error, file=sys.stderr)
        return 1
    print("Restored. Start the bot and the panel; everybody signs in to the panel anew.")
    return 0


def write(
    database: Database, registry: Registry, path: Path, *, secret: bytes | None, at: datetime
) -> dict[str, int]:
    """Write a backup beside its place, then move it there; give the rows by table.

    Raises SettingsError when migrations are pending.
    """
    with database.connection_context():
        if names := pending(database, sources(registry)):
            raise SettingsError(
                f"Migrations are pending ({names[0]}): run `python -m bot migrate`."
            )
    beside = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}).") from None
    try:
        with beside.open("wb") as file:
            counts = _write(database, registry, file, secret, at)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return counts


def _write(
    database: Database, registry: Registry, file: BinaryIO, secret: bytes | None, at: datetime
) -> dict[str, int]:
    sealing = envelopes.Sealing(file, secret) if secret else None
    into: Any = sealing or file
    with snapshot(database) as read:
        names = _names(registry)
        counts = archives.write(
            into, read, _models(registry), migrations=names, version=VERSION, at=at
        )
    if sealing:
        sealing.close()
    return counts


@contextmanager
def _archive(path: Path, secret: bytes | None) -> Iterator[BinaryIO]:
    """The archive in a file, unsealed beside it when it is sealed."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from None
    with file:
        if not envelopes.is_sealed(file):
            yield file
            return
        if secret is None:
            raise Unfit(
                "The backup is encrypted: give --passphrase-file, or set BACKUP_PASSPHRASE."
            )
        with tempfile.TemporaryFile(dir=path.parent) as plain:
            envelopes.unseal(file, secret, plain)
            yield plain


def _rehearse(settings: Settings, registry: Registry) -> int:
    """Say whether the database would take it; nothing is changed, nor made."""
    if settings.lacks_database:
        print("It would be restored. Nothing was changed.")
        return 0
    with opened(settings) as database, database.connection_context():
        there = set(database.get_tables())
        made = [model for model in _models(registry) if model._meta.table_name in there]
        table = restores.occupied(made)
    if table:
        print(f"It would be refused: the table {table} holds rows.", file=sys.stderr)
        return 1
    print("It would be restored. Nothing was changed.")
    return 0


def _about(path: Path, contents: dict[str, Any]) -> str:
    rows = sum(contents["tables"].values())
    return f"{path}: {rows:,} rows, written {contents['at']} UTC by release {contents['version']}."


def _registry(settings: Settings) -> Registry:
    registry = collect(settings.plugins_path)
    if wrong := problems(settings, registry):
        raise SettingsError("\n".join(wrong))
    return registry


def _models(registry: Registry) -> Sequence[type[peewee.Model]]:
    of_plugins = [model for plugin in registry.plugins.values() for model in plugin.models]
    return [*(model for model in TABLES if model not in PASSING), *of_plugins]


def _names(registry: Registry) -> list[str]:
    return [f"{source.name}/{name}" for source in sources(registry) for name in source.names]


def _secret(settings: Settings, passphrase: Path | None) -> bytes | None:
    """What a file holds that was named, or what the settings have."""
    if passphrase is None:
        kept = settings.backup_passphrase
        return kept.reveal().encode() if kept else None
    try:
        secret = passphrase.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{passphrase} cannot be read ({error.strerror}).") from None
    if len(secret) < 12:
        raise SettingsError(f"{passphrase} holds fewer than 12 characters: choose a longer one.")
    return secret
