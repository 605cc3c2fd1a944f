"""What `python -m bot check` says of the audit log: whether the chain of its entries is whole."""

from __future__ import annotations

import sys
from typing import TextIO

from bot.opened import opened
from services import audit
from settings import Settings, SettingsError
from staff import AuditEntry


def check(settings: Settings, *, out: TextIO | None = None) -> int:
    """Print one line on the audit log; 1 when an entry was changed or is missing.

    Where there is no database, or no log in it yet, there is nothing to say.
    """
    if settings.lacks_database:
        return 0
    try:
        with opened(settings) as database, database.connection_context():
            if AuditEntry._meta.table_name not in database.get_tables():
                return 0
            broken, count = audit.verify(), AuditEntry.select().count()
    except SettingsError as error:
        print(f"The audit log cannot be checked: {error}", file=sys.stderr)
        return 0
    if broken is None:
        print(f"The audit log is whole: {count} entries.", file=out)
        return 0
    print(
        f"The audit log is broken at the entry {broken}: it was changed, or the one before it is"
        " missing. Compare it with a backup.",
        file=out,
    )
    return 1
