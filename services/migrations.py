"""Schema changes: run in order, each exactly once, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias
from unittest.mock import patch

import peewee
import peewee_migrate
from peewee_migrate.auto import FIELD_MODULES_MAP
from peewee_migrate.models import MigrateHistory
from peewee_migrate.router import compile_migrations, void

from database import Database, Sqlite, now
from staff import TABLES

CORE = "core"
INITIAL = "001_initial"
FOLDER = Path(__file__).parent.parent / "migrations"

Step: TypeAlias = Callable[..., None]


class MigrationError(Exception):
    """One sentence: which migration cannot be run and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """The core, or a plugin with tables: its models and the folder of its migrations.

    With models and no files there is one migration, `001_initial`, that makes the tables.
    """

    name: str
    folder: Path | None
    models: list[type[peewee.Model]]

    @property
    def history(self) -> str:
        """The table that remembers which migrations were run."""
        return "migratehistory" if self.name == CORE else f"migrations_{self.name}"

    @property
    def names(self) -> list[str]:
        """The migrations there are, in their order."""
        files = self.folder.glob("[0-9][0-9][0-9]_*.py") if self.folder else ()
        names = sorted(file.stem for file in files)
        return names or ([INITIAL] if self.models else [])


def core() -> Source:
    """The core itself."""
    return Source(CORE, FOLDER, TABLES)


def pending(database: Database, sources: Sequence[Source]) -> list[str]:
    """The migrations that were not run yet, as `source/name`. Cheap: looks, runs nothing."""
    tables = set(database.get_tables())
    waiting = []
    for source in sources:
        done = set(_done(database, source)) if source.history in tables else set()
        waiting += [f"{source.name}/{name}" for name in source.names if name not in done]
    return waiting


def migrate(database: Database, sources: Sequence[Source]) -> list[str]:
    """Run what is pending, and give its names as `source/name`.

    Of several processes one works and the others wait. Run it in a process of its own.
    Raises MigrationError; then what ran before the broken migration stays.
    """
    with _locked(database):
        routers = [Router(database, source, _core_of(sources, source)) for source in sources]
        return [f"{router.source.name}/{name}" for router in routers for name in router.run()]


def rollback(database: Database, sources: Sequence[Source], name: str) -> str:
    """Undo the last migration of the source called `name`, and give its name as `source/name`.

    Raises MigrationError when there is none or when it cannot be undone.
    """
    source = next((source for source in sources if source.name == name), None)
    if source is None:
        raise MigrationError(f"Nothing is called {name}: give {CORE} or a plugin with tables.")
    with _locked(database):
        return f"{name}/{Router(database, source, _core_of(sources, source)).undo()}"


def create(database: Database, sources: Sequence[Source], name: str, title: str) -> Path | None:
    """Write the next migration of a source from what its models have and its history has not.

    Gives the new file, or None when nothing differs. SQL defaults and checks are not seen: look
    the file through before it is run.
    """
    source = next(source for source in sources if source.name == name)
    if source.folder is None:
        raise MigrationError(f"{name} has no folder for migrations.")
    source.folder.mkdir(parents=True, exist_ok=True)
    known = _core_of(sources, source)
    router = Router(database, replace(source, models=[]), known)
    made = router.replay(router.todo)
    wanted = [*known, *source.models]
    modules = {key: module for key, module in FIELD_MODULES_MAP.items() if key != "JSONField"}
    with patch.dict(FIELD_MODULES_MAP, modules, clear=True):
        up = compile_migrations(made, wanted)
        down = compile_migrations(made, wanted, reverse=True)
    return source.folder / f"{router.compile(title, up, down)}.py" if up else None


def drift(database: Database, models: Sequence[type[peewee.Model]]) -> list[str]:
    """What the models have and the tables have not, a sentence each."""
    tables = set(database.get_tables())
    found = []
    for model in models:
        table = model._meta.table_name
        if table not in tables:
            found.append(f"The table {table} is missing: run `python -m bot migrate`.")
            continue
        present = {column.name for column in database.get_columns(table)}
        wanted = [field.column_name for field in model._meta.sorted_fields]
        if lacking := ", ".join(name for name in wanted if name not in present):
            found.append(
                f"The table {table} has no column {lacking}: write a migration that adds it."
            )
    return found


class Migrator(peewee_migrate.Migrator):
    """What a migration file works with."""

    def create_model(self, model: Any) -> Any:
        """Make a table; its indexes bear its name, as those of our models do."""
        model._meta.legacy_table_names = False
        return super().create_model(model)

    def remove_fields(self, model: Any, *names: str, **options: Any) -> Any:
        """Drop columns; SQLite rebuilds the table, for it drops none with an index or a key."""
        if isinstance(self.__database__, Sqlite):
            options.setdefault("legacy", True)
        return super().remove_fields(model, *names, **options)


class Router(peewee_migrate.Router):
    """Runs the migrations of one source, with a history table of its own."""

    def __init__(
        self, database: Database, source: Source, known: Sequence[type[peewee.Model]]
    ) -> None:
        super().__init__(
            database,
            migrate_dir=source.folder or Path(),
            migrate_table=source.history,
            migrator_class=Migrator,
        )
        self.engine = database
        self.source = source
        self.known = known

    @cached_property
    def model(self) -> type[MigrateHistory]:
        """The history table; peewee-migrate shares one class between all routers."""

        class History(MigrateHistory):
            name = peewee.CharField(unique=True)
            migrated_at = peewee.DateTimeField(default=now)

            class Meta:
                database = self.engine
                table_name = self.source.history
                legacy_table_names = False

        History.create_table(safe=True)
        return History

    @cached_property
    def migrator(self) -> Migrator:
        """The tables as the migrations that were run have left them."""
        for name in self.done:
            if name not in self.todo:
                raise MigrationError(
                    f"The database has had {self.source.name}/{name}, which this release does not"
                    " know: start the newer release, or restore the backup made before it."
                )
        return self.replay(self.done)

    def replay(self, names: Sequence[str]) -> Migrator:
        """What migrations make of no tables; the database is not touched."""
        migrator = Migrator(self.engine)
        for model in self.known:
            migrator.orm.add(model)
        for name in names:
            self.run_one(name, migrator)
        return migrator

    @property
    def todo(self) -> list[str]:
        """The names of the migrations there are."""
        return self.source.names

    def read(self, name: str) -> tuple[Step, Step]:
        """The two functions of a migration."""
        if self.source.folder and (self.source.folder / f"{name}.py").exists():
            return super().read(name)  # type: ignore[no-any-return,no-untyped-call]
        return self._make, self._drop

    def run_one(
        self,
        name: str,
        migrator: peewee_migrate.Migrator,
        *,
        fake: bool = True,
        downgrade: bool = False,
        **_options: bool,
    ) -> str:
        """Run one migration in one transaction; `fake` only replays what it did to the tables."""
        if fake:
            with patch.object(self.engine, "execute_sql", _nothing):
                self.read(name)[0](migrator, self.engine, fake=True)
            migrator.__ops__ = []
            return name
        try:
            with self.engine.atomic():
                super().run_one(name, migrator, fake=False, downgrade=downgrade)
                if orphans := self.engine.orphans():
                    raise MigrationError("; ".join(orphans[:5]))
        except Exception as error:
            raise MigrationError(
                f"The migration {self.source.name}/{name} failed and was undone: {error}"
            ) from error
        return name

    def undo(self) -> str:
        """Undo the last migration and give its name."""
        if not self.done:
            raise MigrationError(f"{self.source.name} has no migration that could be undone.")
        name: str = self.done[-1]
        migrator = self.migrator
        if self.read(name)[1] is void:
            raise MigrationError(f"{self.source.name}/{name} says no way back: it has no rollback.")
        return self.run_one(name, migrator, fake=False, downgrade=True)

    def _make(self, migrator: Migrator, *_: object, **__: object) -> None:
        migrator.run(self._with_models, self.engine.create_tables)

    def _drop(self, migrator: Migrator, *_: object, **__: object) -> None:
        migrator.run(self._with_models, self.engine.drop_tables)

    def _with_models(self, work: Callable[[list[type[peewee.Model]]], None]) -> None:
        models = self.source.models
        with self.engine.bind_ctx(models, bind_refs=False, bind_backrefs=False):
            work(models)


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    if database.in_transaction():
        raise MigrationError("Migrations open transactions of their own: end yours first.")
    with database.exclusive():
        yield


def _core_of(sources: Sequence[Source], source: Source) -> list[type[peewee.Model]]:
    """The core's models: a plugin's migrations may refer to their tables."""
    core = next((one for one in sources if one.name == CORE), source)
    return [] if core is source else core.models


def _done(database: Database, source: Source) -> list[str]:
    rows = database.execute_sql(f'SELECT name FROM "{source.history}" ORDER BY id').fetchall()
    return [name for (name,) in rows]


def _nothing(_sql: str, _params: Any = None) -> Any:
    """Answer for the database while old migrations are replayed."""
    return SimpleNamespace(
        description=(),
        rowcount=0,
        lastrowid=None,
        fetchone=lambda: None,
        fetchall=list,
        close=lambda: None,
    )
