"""Migrations: once, whole or not at all, and without losing a row, on both engines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

import peewee
import pytest

from database import Database, bind, open_database
from models import Base, User
from services.migrations import (
    MigrationError,
    Source,
    core,
    create,
    drift,
    migrate,
    pending,
    rollback,
)
from staff import TABLES

ROOT = Path(__file__).parent.parent
CORE = sorted(f"core/{path.stem}" for path in (ROOT / "migrations").glob("0*.py"))
"""The migrations of the core, in their order."""
FILE = """import peewee as pw

def migrate(migrator, database, **_):
{up}

def rollback(migrator, database, **_):
{down}
"""
PARENT_AND_CHILD = """
    @migrator.create_model
    class Parent(pw.Model):
        name = pw.CharField(20, null=True)
        colour = pw.CharField(20, default="red", index=True)
        class Meta:
            table_name = "zoo_parent"

    @migrator.create_model
    class Child(pw.Model):
        parent = pw.ForeignKeyField(Parent, on_delete="CASCADE")
        class Meta:
            table_name = "zoo_child"
"""


POSTGRES_SCHEMA = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public';
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public';
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
"""


@pytest.fixture
def fresh(empty_database_url: str) -> Iterator[Database]:
    """An open database without a table."""
    database = open_database(empty_database_url)
    yield database
    database.close()
    database.close_all()


@pytest.fixture
def zoo(tmp_path: Path) -> Source:
    """A plugin with a parent and a child table, in migration files."""
    source = Source("zoo", tmp_path / "zoo", [])
    write(source, "001_initial", PARENT_AND_CHILD, "migrator.remove_model('zoo_child')")
    return source


def write(source: Source, name: str, up: str, down: str | None = "pass") -> None:
    """Write a migration file from the bodies of its two functions."""
    assert source.folder is not None
    source.folder.mkdir(exist_ok=True)
    bodies = [indent(dedent(body), "    ") for body in (up, down or "pass")]
    text = FILE.format(up=bodies[0], down=bodies[1])
    if down is None:
        text = text[: text.index("def rollback")]
    (source.folder / f"{name}.py").write_text(text)


def schema(database: Database) -> list[tuple[object, ...]]:
    """All that an engine says of its tables, but for the histories."""
    if database.param == "?":
        return sorted(
            database.execute_sql(
                "SELECT type, name, tbl_name, sql FROM sqlite_master"
                " WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'migrat%'"
                " AND type <> 'trigger'"
            )
        )
    rows: list[tuple[object, ...]] = []
    for sql in POSTGRES_SCHEMA.split(";"):
        rows += database.execute_sql(sql).fetchall()
    return sorted((row for row in rows if not str(row[0]).startswith("migrat")), key=repr)


def count(database: Database, table: str) -> int:
    """How many rows a table has."""
    return int(database.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0])


def in_process(code: str, url: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in a process of its own, with `database` open."""
    head = (
        "import os, sys\nfrom pathlib import Path\nfrom database import open_database\n"
        "from services.migrations import *\ndatabase = open_database(sys.argv[1])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + dedent(code), url, *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_migrated_schema_is_that_of_the_models(fresh: Database) -> None:
    """The migrations lead to exactly the tables, columns, defaults and indexes of the models."""
    assert pending(fresh, [core()]) == CORE
    assert migrate(fresh, [core()]) == CORE
    assert pending(fresh, [core()]) == []
    migrated = schema(fresh)
    assert [rollback(fresh, [core()], "core") for _ in CORE] == CORE[::-1]
    assert schema(fresh) == []
    bind(fresh)
    fresh.create_tables(TABLES)
    assert migrated == schema(fresh)


def test_second_run_does_nothing(fresh: Database) -> None:
    """What was run is not run again."""
    migrate(fresh, [core()])
    assert migrate(fresh, [core()]) == []


def test_json_is_jsonb_on_postgres(fresh: Database) -> None:
    """JSON columns are jsonb on PostgreSQL and text on SQLite."""
    migrate(fresh, [core()])
    columns = {c.name: c.data_type.lower() for c in fresh.get_columns("plugin_settings")}
    assert columns["value"] == ("text" if fresh.param == "?" else "jsonb")


def test_up_and_down_keep_the_rows(fresh: Database, zoo: Source) -> None:
    """A parent table that is rebuilt keeps its own rows and its children, up and down."""
    migrate(fresh, [zoo])
    fresh.execute_sql("INSERT INTO zoo_parent (name, colour) VALUES ('a', 'red'), ('b', 'blue')")
    fresh.execute_sql("INSERT INTO zoo_child (parent_id) SELECT id FROM zoo_parent")
    write(
        zoo,
        "002_rebuild",
        """
        migrator.change_fields("zoo_parent", name=pw.CharField(50, null=True))
        migrator.add_not_null("zoo_parent", "name")
        migrator.add_fields("zoo_parent", tag=pw.CharField(9, default="x", index=True))
        migrator.remove_fields("zoo_parent", "colour")
        """,
        """
        migrator.add_fields("zoo_parent", colour=pw.CharField(20, default="red", index=True))
        migrator.remove_fields("zoo_parent", "tag")
        migrator.drop_not_null("zoo_parent", "name")
        """,
    )
    assert migrate(fresh, [zoo]) == ["zoo/002_rebuild"]
    assert {c.name for c in fresh.get_columns("zoo_parent")} == {"id", "name", "tag"}
    assert (count(fresh, "zoo_parent"), count(fresh, "zoo_child")) == (2, 2)
    assert rollback(fresh, [zoo], "zoo") == "zoo/002_rebuild"
    assert {c.name for c in fresh.get_columns("zoo_parent")} == {"id", "name", "colour"}
    assert (count(fresh, "zoo_parent"), count(fresh, "zoo_child")) == (2, 2)
    assert pending(fresh, [zoo]) == ["zoo/002_rebuild"]
    fresh.execute_sql("DELETE FROM zoo_parent WHERE name = 'a'")
    assert count(fresh, "zoo_child") == 1


def test_core_up_and_down_with_rows(fresh: Database) -> None:
    """The core's tables go away and come back though they hold rows."""
    bind(fresh)
    migrate(fresh, [core()])
    User.create(telegram_id=1, first_name="A", referrer=User.create(telegram_id=2, first_name="B"))
    assert [rollback(fresh, [core()], "core") for _ in CORE] == CORE[::-1]
    assert migrate(fresh, [core()]) == CORE
    assert count(fresh, "users") == 0


def test_parallel_starts_run_each_migration_once(
    empty_database_url: str, zoo: Source, fresh: Database
) -> None:
    """Of four processes that start at once one migrates and the others wait for it."""
    write(
        zoo,
        "002_rows",
        """
        migrator.sql("INSERT INTO zoo_parent (name, colour) VALUES ('once', 'red')")
        migrator.run(__import__("time").sleep, 0.2)
        """,
    )
    code = "print(*migrate(database, [core(), Source('zoo', Path(sys.argv[2]), [])]))"
    runs = [in_process(code, empty_database_url, str(zoo.folder)) for _ in range(4)]
    results = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, results
    everything = " ".join([*CORE, "zoo/001_initial", "zoo/002_rows"])
    assert sorted(out.strip() for out, _ in results) == ["", "", "", everything]
    assert count(fresh, "zoo_parent") == 1


def test_killed_in_the_middle_is_never_half_applied(
    empty_database_url: str, zoo: Source, fresh: Database
) -> None:
    """A process that dies inside a migration leaves nothing of it, and the next run does it all."""
    migrate(fresh, [zoo])
    fresh.close()
    folder = str(zoo.folder)
    up = """
        migrator.sql("CREATE TABLE half (id INTEGER)")
        migrator.add_fields("zoo_parent", tag=pw.CharField(9, default="x"))
        migrator.sql("INSERT INTO zoo_parent (name, colour, tag) VALUES ('half', 'red', 'x')")
        {death}
        migrator.sql("INSERT INTO half (id) VALUES (1)")
        """
    write(zoo, "002_deadly", up.format(death="migrator.run(__import__('os')._exit, 137)"))
    code = "migrate(database, [Source('zoo', Path(sys.argv[2]), [])])"
    run = in_process(code, empty_database_url, folder)
    run.communicate(timeout=60)
    assert run.returncode == 137
    assert "half" not in fresh.get_tables()
    assert "tag" not in {c.name for c in fresh.get_columns("zoo_parent")}
    assert count(fresh, "zoo_parent") == 0
    write(zoo, "002_deadly", up.format(death=""))
    assert migrate(fresh, [zoo]) == ["zoo/002_deadly"]
    assert (count(fresh, "half"), count(fresh, "zoo_parent")) == (1, 1)


def test_a_failed_migration_is_undone_and_named(fresh: Database, zoo: Source) -> None:
    """A migration that raises is undone whole, those before it stay, and the error names it."""
    write(zoo, "002_good", 'migrator.sql("CREATE TABLE good (id INTEGER)")')
    write(
        zoo,
        "003_bad",
        'migrator.sql("CREATE TABLE bad (id INTEGER)")\nmigrator.sql("SELEKT")',
    )
    with pytest.raises(MigrationError, match="The migration zoo/003_bad failed and was undone"):
        migrate(fresh, [zoo])
    assert pending(fresh, [zoo]) == ["zoo/003_bad"]
    assert "good" in fresh.get_tables() and "bad" not in fresh.get_tables()


def test_orphans_are_refused(fresh: Database, zoo: Source) -> None:
    """A migration that leaves children without their parents is undone."""
    migrate(fresh, [zoo])
    fresh.execute_sql("INSERT INTO zoo_parent (name, colour) VALUES ('a', 'red')")
    fresh.execute_sql("INSERT INTO zoo_child (parent_id) SELECT id FROM zoo_parent")
    write(zoo, "002_orphans", 'migrator.sql("UPDATE zoo_child SET parent_id = 999")')
    with pytest.raises(MigrationError, match=r"(?s)zoo/002_orphans.*zoo_parent"):
        migrate(fresh, [zoo])
    rows = fresh.execute_sql("SELECT COUNT(*) FROM zoo_child WHERE parent_id = 999")
    assert rows.fetchone() == (0,)


def test_foreign_keys_are_on_again_after_migrating(fresh: Database, zoo: Source) -> None:
    """Foreign keys hold after a migration, on the same connection."""
    with fresh.connection_context():
        migrate(fresh, [zoo])
        with pytest.raises(peewee.IntegrityError):
            fresh.execute_sql("INSERT INTO zoo_child (parent_id) VALUES (999)")


def test_each_source_has_a_history_of_its_own(fresh: Database, zoo: Source) -> None:
    """The same name in the core and in a plugin is two migrations."""
    assert migrate(fresh, [core(), zoo]) == [*CORE, "zoo/001_initial"]
    assert count(fresh, "migratehistory") == len(CORE) and count(fresh, "migrations_zoo") == 1
    with pytest.raises(peewee.IntegrityError):
        fresh.execute_sql(
            "INSERT INTO migrations_zoo (name, migrated_at) VALUES ('001_initial', '2030-01-01')"
        )


def test_replaying_old_migrations_touches_nothing(fresh: Database, zoo: Source) -> None:
    """What an old migration did to rows, in its own body too, is not done again."""
    write(
        zoo,
        "002_rows",
        """
        database.execute_sql("INSERT INTO zoo_parent (name, colour) VALUES ('raw', 'red')")
        Parent = migrator.orm["zoo_parent"]
        Parent.create(name="model")
        assert [row.name for row in Parent.select()] == ["raw", "model"] or _["fake"]
        """,
    )
    migrate(fresh, [zoo])
    write(zoo, "003_more", 'migrator.add_fields("zoo_parent", tag=pw.CharField(9, null=True))')
    assert migrate(fresh, [zoo]) == ["zoo/003_more"]
    assert count(fresh, "zoo_parent") == 2


def test_a_plugin_may_point_at_the_core(fresh: Database, zoo: Source) -> None:
    """A plugin's migration finds the core's tables, and its foreign key holds."""
    write(
        zoo,
        "002_owner",
        """
        users = migrator.orm["users"]
        migrator.add_fields("zoo_child", owner=pw.ForeignKeyField(users, null=True))
        """,
        'migrator.remove_fields("zoo_child", "owner")',
    )
    migrate(fresh, [core(), zoo])
    assert "owner_id" in {c.name for c in fresh.get_columns("zoo_child")}
    rollback(fresh, [core(), zoo], "zoo")
    assert "owner_id" not in {c.name for c in fresh.get_columns("zoo_child")}


class Pet(Base):
    """A plugin's model without a migration file."""

    name = peewee.CharField(20, index=True)
    data = peewee.JSONField(null=True)

    class Meta:
        table_name = "pets_pet"


def test_models_without_files_get_their_tables(fresh: Database) -> None:
    """A plugin with models and no files has one migration, which makes and drops the tables."""
    pets = Source("pets", None, [Pet])
    assert pending(fresh, [pets]) == ["pets/001_initial"]
    assert migrate(fresh, [pets]) == ["pets/001_initial"]
    assert drift(fresh, [Pet]) == []
    assert pending(fresh, [pets]) == []
    assert migrate(fresh, [pets]) == []
    assert rollback(fresh, [pets], "pets") == "pets/001_initial"
    assert "pets_pet" not in fresh.get_tables()
    assert pending(fresh, [Source("none", None, [])]) == []


def test_drift_is_said(fresh: Database) -> None:
    """A table and a column that models have and the database has not are said, with the remedy."""
    assert drift(fresh, [Pet]) == ["The table pets_pet is missing: run `python -m bot migrate`."]
    fresh.execute_sql("CREATE TABLE pets_pet (id INTEGER, name VARCHAR(20))")
    assert drift(fresh, [Pet]) == [
        "The table pets_pet has no column data: write a migration that adds it."
    ]


def test_create_writes_the_next_migration(fresh: Database, tmp_path: Path) -> None:
    """A migration made from the models leads to their schema, and leaves nothing to differ."""
    pets = Source("pets", tmp_path / "pets", [Pet])
    path = create(fresh, [core(), pets], "pets", "initial")
    assert path == tmp_path / "pets" / "001_initial.py"
    assert "pw.JSONField" in path.read_text()
    assert migrate(fresh, [core(), pets]) == [*CORE, "pets/001_initial"]
    assert create(fresh, [core(), pets], "pets", "more") is None
    made = schema(fresh)
    fresh.execute_sql("DROP TABLE pets_pet")
    with fresh.bind_ctx([Pet]):
        fresh.create_tables([Pet])
    assert made == schema(fresh)


def test_create_wants_a_folder(fresh: Database) -> None:
    """A plugin without a folder cannot be given a migration file."""
    with pytest.raises(MigrationError, match="pets has no folder"):
        create(fresh, [Source("pets", None, [Pet])], "pets", "initial")


def test_a_newer_database_is_refused(fresh: Database, zoo: Source) -> None:
    """A database with a migration that this release lacks is refused before anything is run."""
    assert zoo.folder is not None
    write(zoo, "002_newer", 'migrator.sql("CREATE TABLE newer (id INTEGER)")')
    migrate(fresh, [zoo])
    (zoo.folder / "002_newer.py").rename(zoo.folder / "002_other.py")
    with pytest.raises(MigrationError, match="has had zoo/002_newer, which this release does not"):
        migrate(fresh, [zoo])


def test_what_cannot_be_undone_is_said(fresh: Database, zoo: Source) -> None:
    """Rolling back nothing, the unknown, or a migration without a way back is refused."""
    with pytest.raises(MigrationError, match="zoo has no migration that could be undone"):
        rollback(fresh, [zoo], "zoo")
    with pytest.raises(MigrationError, match="Nothing is called nobody"):
        rollback(fresh, [zoo], "nobody")
    write(zoo, "002_one_way", 'migrator.sql("CREATE TABLE one_way (id INTEGER)")', None)
    migrate(fresh, [zoo])
    with pytest.raises(MigrationError, match="zoo/002_one_way says no way back"):
        rollback(fresh, [zoo], "zoo")


def test_migrating_inside_a_transaction_is_refused(fresh: Database) -> None:
    """A caller's transaction would keep the foreign keys awake and the steps together."""
    with fresh.atomic(), pytest.raises(MigrationError, match="end yours first"):
        migrate(fresh, [core()])
