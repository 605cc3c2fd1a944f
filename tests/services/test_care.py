"""What the team does to a person, and what of it is in the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from database import Database, now
from models import Ban, Conversation, Language, Role, Status, User
from services import audit, care
from services.audit import Actor
from staff import TABLES, Admin, AuditEntry, StaffNote, StaffRole

OPERATOR, ADMIN, OWNER = StaffRole.OPERATOR, StaffRole.ADMIN, StaffRole.OWNER


@pytest.fixture
def actor(database: Database) -> Actor:
    """Somebody of the team."""
    admin = Admin.create(name="ada", role=OPERATOR)
    return Actor(admin.id, "ada", "10.0.0.1")


def person(number: int, role: Role = Role.USER) -> User:
    """A person in the table."""
    user: User = User.create(telegram_id=number, first_name="Zeldarina", role=role)
    return user


def entries() -> list[tuple[str, str, object, object]]:
    """The log: what was done, to whom, before and after; the chain holds."""
    assert audit.verify() is None
    rows = AuditEntry.select().order_by(AuditEntry.id)
    return [(row.action, row.target, row.before, row.after) for row in rows]


def test_a_ban_and_its_end_are_noted_with_all_that_brings_them_back(actor: Actor) -> None:
    """Status, end and that there is a reason; a person is named by the row's id alone."""
    user, until = person(7), now() + timedelta(hours=1)
    assert care.ban(actor, [user.id], OPERATOR, reason=" spam\0 ", until=until) == 1
    ban = Ban.get()
    assert (ban.reason, ban.until, ban.by) == ("spam", until, None)
    assert care.unban(actor, [user.id], OPERATOR) == 1
    assert care.unban(actor, [user.id], OPERATOR) == 0
    free = {"status": "active", "reason": None, "until": None}
    banned = {"status": "banned", "reason": "given", "until": until.isoformat(" ")}
    target = f"user:{user.id}"
    assert entries() == [
        ("user.ban", target, free, banned),
        ("user.unban", target, banned, free),
    ]


def test_a_new_reason_takes_the_place_of_the_old(actor: Actor) -> None:
    """The log has that it is another one, and nothing of what stays the same."""
    user = person(7)
    care.ban(actor, [user.id], OPERATOR, reason="spam")
    care.ban(actor, [user.id], OPERATOR, reason="worse")
    assert Ban.get().reason == "worse"
    assert entries()[1][2:] == ({"reason": "given"}, {"reason": "given anew"})


def test_who_bans_is_known_when_the_account_has_a_telegram_id(actor: Actor) -> None:
    """The bot's /ban and the panel fill in the same column."""
    boss, user = person(1, Role.ADMIN), person(7)
    Admin.update(telegram_id=1).execute()
    care.ban(actor, [user.id], OPERATOR)
    assert Ban.get().by == boss


def test_several_are_banned_together_or_not_at_all(actor: Actor) -> None:
    """One of them who is out of reach, or too many, and nobody is banned."""
    people = [person(number) for number in range(3)]
    boss = person(9, Role.ADMIN)
    with pytest.raises(care.Refused, match=f"User {boss.id} has the role admin"):
        care.ban(actor, [*(each.id for each in people), boss.id], OPERATOR)
    with pytest.raises(care.Refused, match="at most 100"):
        care.ban(actor, range(101), OWNER)
    assert not Ban.select().exists() and entries() == []
    assert care.ban(actor, [*(each.id for each in people), 999], OPERATOR) == 3


@pytest.mark.parametrize(
    ("has", "gets", "power", "allowed"),
    [
        (Role.USER, Role.MODERATOR, OPERATOR, False),
        (Role.USER, Role.ADMIN, ADMIN, True),
        (Role.USER, Role.OWNER, ADMIN, False),
        (Role.OWNER, Role.USER, ADMIN, False),
        (Role.USER, Role.OWNER, OWNER, True),
        (Role.OWNER, Role.USER, OWNER, True),
    ],
)
def test_roles_are_given_by_admins_and_owners_made_by_owners(
    actor: Actor, has: Role, gets: Role, power: StaffRole, allowed: bool
) -> None:
    """In both directions."""
    user = person(7, has)
    if not allowed:
        with pytest.raises(care.Refused, match="role"):
            care.set_role(actor, user.id, gets, power)
        assert User.get().role == has and entries() == []
        return
    care.set_role(actor, user.id, gets, power)
    assert User.get().role == gets
    assert entries() == [("user.role", f"user:{user.id}", {"role": has}, {"role": gets})]


def test_status_and_language_are_corrected(actor: Actor) -> None:
    """What changes nothing is not noted, and a ban is no status that one sets."""
    user = person(7)
    care.set_status(actor, user.id, Status.BLOCKED, OPERATOR)
    care.set_status(actor, user.id, Status.BLOCKED, OPERATOR)
    care.set_language(actor, user.id, Language.RU, OPERATOR)
    with pytest.raises(care.Refused, match="use ban"):
        care.set_status(actor, user.id, Status.BANNED, OPERATOR)
    care.ban(actor, [user.id], OPERATOR)
    with pytest.raises(care.Refused, match="use ban"):
        care.set_status(actor, user.id, Status.ACTIVE, OPERATOR)
    assert [entry[0] for entry in entries()] == ["user.status", "user.language", "user.ban"]
    assert (User.get().status, User.get().language) == (Status.BANNED, Language.RU)


def test_nobody_is_changed_who_is_not_there(actor: Actor) -> None:
    """A person who was erased meanwhile is gone for every deed."""
    for deed in (
        lambda: care.set_role(actor, 5, Role.USER, OWNER),
        lambda: care.note(actor, 5, "x"),
        lambda: care.export(actor, 5, {}),
        lambda: care.erase(actor, 5, OWNER, {}),
        lambda: care.end_conversation(actor, 5, 1, 1),
    ):
        with pytest.raises(care.Refused, match="no such person"):
            deed()
    assert entries() == []


def test_a_note_is_the_teams_and_deleted_by_who_wrote_it(actor: Actor) -> None:
    """Its text, which may name the person, is not in the log."""
    user = person(7)
    note = care.note(actor, user.id, " Zeldarina is kind ")
    other = Actor(Admin.create(name="bea", role=OWNER).id, "bea")
    assert not care.drop_note(other, note.id)
    assert StaffNote.get().text == "Zeldarina is kind"
    assert care.drop_note(actor, note.id)
    assert not care.drop_note(actor, note.id)
    assert not care.drop_note(Actor(None, "command line"), care.note(actor, user.id, "x").id)
    for text in ("", " ", "x" * 2001):
        with pytest.raises(care.Refused, match="1 to 2000"):
            care.note(actor, user.id, text)
    assert "kind" not in repr(entries())


def test_a_question_is_cleared_in_one_chat(actor: Actor) -> None:
    """The log says which step of which bot, and not where: a private chat's id is a person's."""
    user = person(7)
    for chat_id in (7, -5):
        Conversation.create(
            bot_id=1, chat_id=chat_id, user_id=7, step="notes.save", data={}, expires_at=now()
        )
    assert care.end_conversation(actor, user.id, 1, 7)
    assert not care.end_conversation(actor, user.id, 1, 7)
    assert [row.chat_id for row in Conversation.select()] == [-5]
    assert entries()[0][2] == {"bot": 1, "step": "notes.save"}


@pytest.mark.parametrize("banned", [True, False])
def test_nothing_that_the_team_wrote_of_somebody_outlives_them(
    actor: Actor, database: Database, banned: bool
) -> None:
    """Reasons of bans and notes are gone with the person, also where the bare ban stays."""
    user = person(7)
    care.note(actor, user.id, "sells pufferfish")
    care.ban(actor, [user.id], OPERATOR, reason="pufferfish again")
    care.ban(actor, [user.id], OPERATOR, reason="pufferfish once more")
    if not banned:
        care.unban(actor, [user.id], OPERATOR)
    assert everything(database).count("pufferfish") == (2 if banned else 1)
    care.erase(actor, user.id, OPERATOR, {})
    assert "pufferfish" not in everything(database)
    assert Ban.select().count() == banned


def everything(database: Database) -> str:
    """All that stands in the tables."""
    tables = sorted({model._meta.table_name for model in TABLES})
    return repr([database.execute_sql(f"SELECT * FROM {name}").fetchall() for name in tables])


def test_several_things_are_changed_together_or_none(actor: Actor) -> None:
    """A ban, a language and a role in one go; what is refused at the end undoes the rest."""
    user = person(7)
    with pytest.raises(care.Forbidden):
        care.change(actor, user.id, OPERATOR, status=Status.BANNED, role=Role.ADMIN)
    assert User.get().status == Status.ACTIVE and entries() == []
    made = care.change(
        actor, user.id, ADMIN, status=Status.BANNED, role=Role.ADMIN, language=Language.RU
    )
    assert (made.status, made.role, made.language) == (Status.BANNED, Role.ADMIN, Language.RU)
    care.change(actor, user.id, ADMIN, status=Status.BANNED)
    assert [entry[0] for entry in entries()] == ["user.ban", "user.language", "user.role"]
    with pytest.raises(care.Forbidden):
        care.change(actor, user.id, OPERATOR, status=Status.ACTIVE)
    care.change(actor, user.id, ADMIN, status=Status.ACTIVE)
    assert User.get().status == Status.ACTIVE and not Ban.select().exists()
    with pytest.raises(care.Gone):
        care.change(actor, 999, OWNER, language=Language.EN)


def test_an_erasure_leaves_no_name_in_the_log(actor: Actor) -> None:
    """What is held is given out, then erased over core and plugins; the log has two numbers."""
    user = person(1234567)
    care.note(actor, user.id, "x")
    held = care.export(actor, user.id, {"notes": lambda user: [user.telegram_id]})
    assert held["plugins"] == {"notes": [1234567]}
    receipt, words = care.erase(actor, user.id, OPERATOR, {"notes": lambda _user: 3})
    assert (receipt.plugins, receipt.tables["staff_notes"]) == ({"notes": 3}, 1)
    assert "1234567" in words and not User.select().exists()
    log = repr([row.__data__ for row in AuditEntry.select()])
    assert "1234567" not in log and "Zeldarina" not in log
    assert [entry[0] for entry in entries()] == ["user.note", "user.export", "user.erase"]
