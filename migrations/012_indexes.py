"""Indexes and a table of names, so that no list of the panel walks through a big table."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

import trigrams

OLD = {
    "users": ("username", "status", "role", "last_activity_at", "referrer_id"),
    "analytics_events": ("event_type", "user_id", "created_at"),
}
"""Columns that have an index of their own."""
NEW = """
users_username_id ON users (username, id) WHERE username IS NOT NULL
users_language_id_status_role ON users (language, id, status, role)
users_facets ON users (id, status, role, language)
users_seen ON users (last_activity_at, id, status, role, language)
users_status_rare ON users (status, id, role, language) WHERE status <> 'active'
users_role_rare ON users (role, id, status, language) WHERE role <> 'user'
users_source_rare ON users (source, id, status, role, language) WHERE source IS NOT NULL
users_referrer_rare ON users (referrer_id, id, status, role, language) WHERE referrer_id IS NOT NULL
analytics_events_event_type_created_at_id ON analytics_events (event_type, created_at, id)
analytics_events_user_id_created_at_id ON analytics_events (user_id, created_at, id)
analytics_events_created_at_id ON analytics_events (created_at, id)
"""


def migrate(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """Write down everybody's names, and make the indexes before the old ones go."""
    migrator.run(trigrams.lay, database)
    for line in NEW.strip().splitlines():
        migrator.sql(f"CREATE INDEX {_quoted(line)}")
    for table, columns in OLD.items():
        for column in columns:
            migrator.sql(f'DROP INDEX "{table}_{column}"')


def rollback(migrator: Migrator, database: pw.Database, **_options: bool) -> None:
    """The way back."""
    for table, columns in OLD.items():
        for column in columns:
            migrator.sql(f'CREATE INDEX "{table}_{column}" ON "{table}" ("{column}")')
    for line in NEW.strip().splitlines():
        migrator.sql(f"DROP INDEX {line.partition(' ')[0]}")
    migrator.run(trigrams.lift, database)


def _quoted(line: str) -> str:
    """As Peewee writes it: SQLite keeps the text, which a test compares with the models'."""
    head, mark, where = line.partition(" WHERE ")
    words = head.replace("(", "( ").replace(")", " )").replace(",", " ,").split()
    quoted = [word if word in {"ON", "(", ")", ","} else f'"{word}"' for word in words]
    return " ".join(quoted).replace("( ", "(").replace(" )", ")").replace(" ,", ",") + mark + where
