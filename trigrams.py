"""Trigrams: how people are found by any part of their names, in a table that the database keeps.

Beside `users` stands `users_search` with all names of a person in one text. Triggers write it when
a name changes, and only then: counting messages must not cost more. On SQLite it is a table of
FTS5. On PostgreSQL pg_trgm indexes it; where that extension cannot be made, only words are found by
how they begin.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import peewee

from database import Database

TABLE = "users_search"
INDEX = "users_search_text"
EXTENSION = "pg_trgm"

_SQLITE = (
    "CREATE VIRTUAL TABLE users_search USING fts5(text, tokenize = 'trigram')",
    """
    CREATE TRIGGER users_search_insert AFTER INSERT ON users
    BEGIN INSERT INTO users_search (rowid, text) VALUES (new.id, {new}); END
    """,
    """
    CREATE TRIGGER users_search_update AFTER UPDATE OF username, first_name, last_name ON users
    WHEN old.username IS NOT new.username OR old.first_name IS NOT new.first_name
        OR old.last_name IS NOT new.last_name
    BEGIN UPDATE users_search SET text = {new} WHERE rowid = new.id; END
    """,
    """
    CREATE TRIGGER users_search_delete AFTER DELETE ON users
    BEGIN DELETE FROM users_search WHERE rowid = old.id; END
    """,
    "INSERT INTO users_search (rowid, text) SELECT id, {users} FROM users",
)
_SQLITE_TEXT = (
    "coalesce('  @' || {row}.username, '') || '  ' || {row}.first_name"
    " || coalesce('  ' || {row}.last_name, '')"
)
_POSTGRES = (
    """
    CREATE TABLE users_search (
        rowid INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, text TEXT NOT NULL
    )
    """,
    "INSERT INTO users_search (rowid, text) SELECT id, {users} FROM users",
    """
    CREATE FUNCTION users_search_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO users_search (rowid, text) VALUES (NEW.id, {new})
            ON CONFLICT (rowid) DO UPDATE SET text = EXCLUDED.text;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER users_search_insert AFTER INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION users_search_write()
    """,
    """
    CREATE TRIGGER users_search_update AFTER UPDATE OF username, first_name, last_name ON users
    FOR EACH ROW WHEN ((OLD.username, OLD.first_name, OLD.last_name)
        IS DISTINCT FROM (NEW.username, NEW.first_name, NEW.last_name))
    EXECUTE FUNCTION users_search_write()
    """,
)
_POSTGRES_TEXT = (
    "lower(concat('  @' || {row}.username, '  ' || {row}.first_name, '  ' || {row}.last_name))"
)
_BY_PARTS = f"CREATE INDEX {INDEX} ON users_search USING gin (text gin_trgm_ops)"
_BY_WORDS = f"CREATE INDEX {INDEX} ON users_search USING gin (to_tsvector('simple', text))"


def lay(database: Database, extension: str = EXTENSION) -> None:
    """Make the table with what keeps it, and write down everybody who is there already.

    SQLite drops triggers with their table: a migration that rebuilds `users` lifts and lays this.
    """
    if database.table_exists(TABLE):
        return
    local = database.param == "?"
    statements, text = (_SQLITE, _SQLITE_TEXT) if local else (_POSTGRES, _POSTGRES_TEXT)
    for sql in statements:
        database.execute_sql(sql.format(new=text.format(row="new"), users=text.format(row="users")))
    if not local:
        _index(database, extension)


def lift(database: Database) -> None:
    """Take it away; the extension stays, for others may use it."""
    on = "" if database.param == "?" else " ON users"
    for name in ("insert", "update", "delete"):
        database.execute_sql(f"DROP TRIGGER IF EXISTS users_search_{name}{on}")
    if on:
        database.execute_sql("DROP FUNCTION users_search_write")
    database.execute_sql(f"DROP TABLE {TABLE}")


def forget(database: Database) -> None:
    """Leave nothing of names that were deleted: SQLite keeps them in the index until it merges."""
    if database.param == "?":
        database.execute_sql("INSERT INTO users_search (users_search) VALUES ('optimize')")


@lru_cache(maxsize=4)
def finds_parts(database: Database) -> bool:
    """Whether names are found by any part, and not only by how their words begin."""
    if database.param == "?":
        return True
    sql = "SELECT indexdef LIKE '%%trgm%%' FROM pg_indexes WHERE indexname = %s"
    row: Any = database.execute_sql(sql, (INDEX,)).fetchone()
    return bool(row and row[0])


def _index(database: Database, extension: str) -> None:
    try:
        with database.atomic():
            database.execute_sql(f'CREATE EXTENSION IF NOT EXISTS "{extension}"')
            database.execute_sql(_BY_PARTS)
    except peewee.DatabaseError:  # it is not installed, or may not be made by this account
        database.execute_sql(_BY_WORDS)
