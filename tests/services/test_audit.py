"""The audit log: only ever added to, a chain whose breaks are found, and searched by indexes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import peewee
import pytest

from database import Database, bind, open_database
from services import audit, trail
from services.audit import Actor
from services.migrations import core, migrate
from services.trail import Wanted
from staff import AuditEntry
from tests.plans import statements, walks

ADA, BEN = Actor(1, "ada", "10.0.0.1"), Actor(2, "ben", "10.0.0.2")
WRITES = {
    "update": "UPDATE audit SET actor = 'nobody'",
    "update one": "UPDATE audit SET after = NULL WHERE id = 1",
    "delete": "DELETE FROM audit",
    "delete one": "DELETE FROM audit WHERE id = 2",
}
REPLACE = (
    "INSERT OR REPLACE INTO audit (id, at, actor, address, action, target, previous, digest)"
    " VALUES (1, '2030-01-01', 'nobody', '', 'x', 'y', '', '')"
)


@pytest.fixture
def migrated(empty_database_url: str) -> Iterator[Database]:
    """A database that was made by the migrations, with two entries."""
    database = bind(open_database(empty_database_url))
    migrate(database, [core()])
    with database.connection_context():
        audit.record(ADA, "user.role", "user:1", {"role": "user"}, {"role": "admin"})
        audit.record(BEN, "user.role", "user:2", {"role": "user"}, {"role": "admin"})
        yield database
    database.close_all()


@pytest.mark.parametrize("write", WRITES)
def test_what_was_written_stays(migrated: Database, write: str) -> None:
    """The database itself refuses to change or to delete an entry, whoever asks."""
    before = list(AuditEntry.select().dicts())
    with pytest.raises(peewee.DatabaseError, match="only ever added"):
        migrated.execute_sql(WRITES[write])
    assert list(AuditEntry.select().dicts()) == before and audit.verify() is None


def test_entries_are_not_replaced_or_emptied_away(migrated: Database) -> None:
    """The ways round the verbs are closed: REPLACE of SQLite, TRUNCATE of PostgreSQL."""
    before = list(AuditEntry.select().dicts())
    with pytest.raises(peewee.DatabaseError, match="only ever added"):
        migrated.execute_sql(REPLACE if migrated.param == "?" else "TRUNCATE audit CASCADE")
    assert list(AuditEntry.select().dicts()) == before
    assert audit.record(ADA, "x", "y").id == 3


def test_without_the_triggers_the_same_is_done(database: Database) -> None:
    """The control: tables made without the migrations give way."""
    audit.record(ADA, "user.role", "user:1", {"role": "user"}, {"role": "admin"})
    for sql in WRITES.values():
        database.execute_sql(sql)
    assert AuditEntry.select().count() == 0


def test_a_break_of_the_chain_is_found(database: Database) -> None:
    """A changed field, and a missing entry, are found at the first entry that shows it."""
    for number in range(6):
        audit.record(ADA, "user.ban", f"user:{number}", {"status": "active"}, {"status": "banned"})
    assert audit.verify() is None
    AuditEntry.update(target="user:99").where(AuditEntry.id == 4).execute()
    assert audit.verify() == 4
    AuditEntry.update(target="user:3").where(AuditEntry.id == 4).execute()
    assert audit.verify() is None
    AuditEntry.delete().where(AuditEntry.id == 2).execute()
    assert audit.verify() == 3


def test_the_chain_is_verified_in_parts(database: Database) -> None:
    """Each part goes on from the entry before it, and the last one says that it is."""
    for number in range(5):
        audit.record(ADA, "x", str(number))
    parts: list[audit.Part] = []
    after = 0
    while not parts or not parts[-1].over:
        parts.append(audit.verify_part(after, limit=2))
        after = parts[-1].last
    assert parts == [(2, 2, None, False), (4, 2, None, False), (5, 1, None, True)]
    AuditEntry.update(actor="eve").where(AuditEntry.id == 3).execute()
    assert audit.verify_part(0, limit=2) == (2, 2, None, False)
    assert audit.verify_part(2, limit=2) == (2, 0, 3, True)
    assert audit.verify_part(0) == (2, 2, 3, True)
    assert audit.verify_part(10**18) == (10**18, 0, None, True)


def test_an_empty_log_is_whole(database: Database) -> None:
    """Nothing was changed where nothing is."""
    assert audit.verify() is None


def test_entries_are_found_by_who_what_to_what_and_when(database: Database) -> None:
    """Each filter alone, all together, and none."""
    audit.record(ADA, "user.ban", "user:1", {"status": "active"}, {"status": "banned"})
    audit.record(BEN, "user.ban", "user:2", {"status": "active"}, {"status": "banned"})
    old = audit.record(ADA, "plugin.switch", "plugin:ping", {"enabled": True}, {"enabled": False})
    AuditEntry.update(at=old.at - timedelta(days=2)).where(AuditEntry.id == old.id).execute()
    day = (old.at - timedelta(days=2)).date()

    def ids(**wanted: object) -> list[int]:
        return [entry.id for entry in trail.page(Wanted(**wanted)).entries]  # type: ignore[arg-type]

    assert ids() == [3, 2, 1]
    assert (ids(admin_id=1), ids(action="user.ban"), ids(target="user:2")) == ([3, 1], [2, 1], [2])
    assert (ids(day=day), ids(day=old.at.date())) == ([3], [2, 1])
    assert ids(admin_id=1, action="user.ban", target="user:1", day=old.at.date()) == [1]
    assert ids(admin_id=9) == []
    assert trail.actions() == ["plugin.switch", "user.ban"]


def test_words_are_looked_for_everywhere_in_an_entry(database: Database) -> None:
    """In names, targets, addresses and values, in any case; wildcards are letters."""
    audit.record(ADA, "user.ban", "user:1", {"status": "active"}, {"reason": "Spam_100%"})
    audit.record(BEN, "plugin.setting", "plugin:notes.limit", {"value": 20}, {"value": 30})

    def ids(words: str) -> list[int]:
        return [entry.id for entry in trail.page(Wanted(words=words)).entries]

    assert (ids("spam"), ids("NOTES"), ids("10.0.0.2"), ids("ada ban")) == ([1], [2], [2], [1])
    assert (ids("spam notes"), ids("m_1"), ids("00%"), ids("%"), ids("a_a")) == (
        [],
        [1],
        [1],
        [1],
        [],
    )


def test_pages_follow_each_other_without_a_gap(database: Database) -> None:
    """Every entry is on one page; a search goes on where its window ended."""
    for number in range(120):
        audit.record(ADA, "x", "rare" if number == 3 else "common")
    for words, expected in (("", 120), ("common", 119), ("rare", 1)):
        seen: list[int] = []
        before: int | None = trail.NEWEST
        while before is not None:
            page = trail.page(Wanted(words=words, before=before), window=10)
            seen += [entry.id for entry in page.entries]
            before = page.older
        assert len(seen) == expected and seen == sorted(set(seen), reverse=True)


def test_no_question_walks_through_the_log(database: Database) -> None:
    """Lists, filters, the kinds of deeds and the verification use indexes."""
    audit.record(ADA, "x", "y")
    day = AuditEntry.get().at.date()
    with statements() as run:
        for wanted in (
            Wanted(),
            Wanted(admin_id=1),
            Wanted(action="x"),
            Wanted(target="y"),
            Wanted(day=day),
            Wanted(words="z"),
            Wanted(before=7, admin_id=1, words="z"),
        ):
            trail.page(wanted)
        trail.actions()
        audit.verify_part(3)
    assert len(run) >= 10
    assert walks(database, run, small=set()) == set()
