"""Indexes of the two big tables: by what lists are narrowed, and sorted with no tie between rows.

An index gives the keys of a page, however deep, without a look at the rows: it ends with the key
and, of people, with what else they are chosen by. Each one costs every message a little: on
PostgreSQL whoever is counted anew gets a new entry in all of them but the partial ones. So a status
or a role that most people have is found by a walk along the newest, in the one index that begins
with the key, and what is rare by an index of its own. That of a person's events is short, since
each event goes into another page of it: times are not in it, and who asks for one person's takes
them in the order of their keys. Asked for by time, PostgreSQL would walk through everybody's.
"""

from __future__ import annotations

from typing import Any

from peewee import SQL, fn

from models import AnalyticsEvent, User

FACETS = (User.status, User.role, User.language)
"""Columns with a few values each."""
RARE: dict[Any, str] = {
    User.status: "status <> 'active'",
    User.role: "role <> 'user'",
    User.source: "source IS NOT NULL",
    User.referrer: "referrer_id IS NOT NULL",
}


def declare() -> None:
    """Add them to the models, as the migrations make them."""
    User.add_index(User.index(fn.LOWER(User.username), name="users_lower_username"))
    User.add_index(User.index(User.username, User.id, where=SQL("username IS NOT NULL")))
    User.add_index(User.language, User.id, User.status, User.role)
    User.add_index(User.index(User.id, *FACETS, name="users_facets"))
    User.add_index(User.index(User.last_activity_at, User.id, *FACETS, name="users_seen"))
    for column, where in RARE.items():
        others = (facet for facet in FACETS if facet is not column)
        name = f"users_{column.name}_rare"
        User.add_index(User.index(column, User.id, *others, where=SQL(where), name=name))
    for columns in ((AnalyticsEvent.event_type,), ()):
        AnalyticsEvent.add_index(*columns, AnalyticsEvent.created_at, AnalyticsEvent.id)
    AnalyticsEvent.add_index(AnalyticsEvent.user, AnalyticsEvent.id)
