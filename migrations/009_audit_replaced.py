"""The audit log: its rows are not emptied away or replaced either."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

KEPT = {
    "?": """
        CREATE TRIGGER audit_kept_INSERT BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
        BEGIN SELECT RAISE(ABORT, 'rows of audit are only ever added'); END
    """,
    "%s": """
        CREATE TRIGGER audit_kept_TRUNCATE BEFORE TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()
    """,
}
FREED = {
    "?": "DROP TRIGGER audit_kept_INSERT",
    "%s": "DROP TRIGGER audit_kept_TRUNCATE ON audit",
}


def migrate(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """SQLite replaces a row without a word to the triggers on DELETE; PostgreSQL can TRUNCATE."""
    migrator.sql(KEPT[database.param])


def rollback(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """Let them."""
    migrator.sql(FREED[database.param])
