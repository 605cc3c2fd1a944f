"""Taking back: each kind of deed, once, by whom it may be done, and only while it still stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from choices import Language, Role, StaffRole, Status
from database import Database, now
from models import Ban, PluginSetting, PluginSwitch, Suspension, User
from services import admins, audit, care, plugins, reverts, switching, users
from services.audit import MASK, Actor
from services.plugins import Preferences, Rest, Switches
from services.reverts import Refused, revert
from services.switching import Undeclared
from staff import Admin, AuditEntry
from tests.together import run_together

ADA = Actor(1, "ada")
OWNER = StaffRole.OWNER
UNTIL = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None)


def person(**values: Any) -> User:
    """Somebody in the table."""
    user: User = User.create(telegram_id=7, first_name="Eve", **values)
    return user


def ban(user: User, reason: str = "spam", until: datetime | None = UNTIL) -> AuditEntry:
    """Ban somebody, as the pages do."""
    care.ban(ADA, [user.id], OWNER, until=until, reason=reason)
    return newest()


def newest() -> AuditEntry:
    """The last entry of the log."""
    found: AuditEntry = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    return found


def limit(plugin: str, key: str) -> Undeclared | None:
    """What the plugin declares: one setting, with a default."""
    return Undeclared(plugin, key, 20) if (plugin, key) == ("notes", "limit") else None


def standing(user: User) -> tuple[Status, str | None, datetime | None]:
    """Status, and why and until when somebody is banned."""
    row = Ban.get_or_none(Ban.user == user.id)
    why, until = (row.reason, row.until) if row else (None, None)
    return User.get_by_id(user.id).status, why, until


def test_a_ban_is_taken_back_and_that_too(database: Database) -> None:
    """Reverting gives the person back as they were; reverting that bans them, the reason apart."""
    user = person()
    first = ban(user)
    second = revert(ADA, OWNER, first.id)
    assert standing(user) == (Status.ACTIVE, None, None)
    assert (second.action, second.target, second.reverts) == ("user.unban", "user:1", first.id)
    assert second.before == {"status": "banned", "reason": "given", "until": "2040-01-02 03:04:05"}
    assert second.after == {"status": "active", "reason": None, "until": None}
    third = revert(ADA, OWNER, second.id)
    assert standing(user) == (Status.BANNED, "restored", UNTIL)
    assert (third.action, third.reverts) == ("user.ban", second.id)
    assert audit.verify() is None


def test_a_ban_in_place_of_another_gives_that_one_back(database: Database) -> None:
    """What was before was a ban too; the log did not keep why, but for how long."""
    user = person()
    ban(user, "first", None)
    entry = ban(user, "second")
    made = revert(ADA, OWNER, entry.id)
    assert standing(user) == (Status.BANNED, "restored", None)
    assert (made.action, made.reverts) == ("user.ban", entry.id)


def test_somebody_who_had_blocked_the_bot_is_blocked_again(database: Database) -> None:
    """The end of a ban makes nobody active who was not."""
    user = person(status=Status.BLOCKED)
    revert(ADA, OWNER, ban(user).id)
    assert standing(user) == (Status.BLOCKED, None, None)


def test_an_unban_is_taken_back(database: Database) -> None:
    """Also where the entry says no more than the status."""
    user = person()
    ban(user)
    users.unban(User.get_by_id(user.id))
    entry = audit.record(
        ADA, "user.unban", f"user:{user.id}", {"status": "banned"}, {"status": "active"}
    )
    revert(ADA, OWNER, entry.id)
    assert standing(user) == (Status.BANNED, "restored", None)


@pytest.mark.parametrize(
    ("action", "field", "before", "after", "deed"),
    [
        ("user.role", "role", Role.USER, Role.ADMIN, users.set_role),
        ("user.language", "language", Language.EN, Language.RU, users.set_language),
        ("user.status", "status", Status.ACTIVE, Status.DELETED, users.set_status),
    ],
)
def test_fields_of_a_person(
    database: Database, action: str, field: str, before: Any, after: Any, deed: Any
) -> None:
    """Role, language and status go back to what they were."""
    user = person()
    deed(user, after)
    entry = audit.record(ADA, action, f"user:{user.id}", {field: before}, {field: after})
    made = revert(ADA, OWNER, entry.id)
    assert getattr(User.get_by_id(user.id), field) == before
    assert (made.action, made.before, made.after) == (action, {field: after}, {field: before})


@pytest.mark.parametrize("chat", [0, -100123])
def test_a_switch(database: Database, chat: int) -> None:
    """Everywhere and in one chat; what is on everywhere again is not suspended any more."""
    Switches().set("ping", False, chat)
    plugins.suspend("ping", Rest(now() + timedelta(hours=1), 1, "x", ""))
    target = f"plugin:ping@{chat}" if chat else "plugin:ping"
    entry = audit.record(ADA, "plugin.switch", target, {"enabled": True}, {"enabled": False})
    revert(ADA, OWNER, entry.id)
    assert PluginSwitch.get(PluginSwitch.chat_id == chat).enabled is True
    assert Suspension.select().count() == (1 if chat else 0)


def test_a_setting(database: Database) -> None:
    """A value goes back to the one before, or to the default when it had none."""

    def put(value: object, before: object) -> int:
        Preferences().set("notes", "limit", value)
        return int(
            audit.record(
                ADA, "plugin.setting", "plugin:notes.limit", {"value": before}, {"value": value}
            ).id
        )

    first, second = put(30, None), put(40, 30)
    revert(ADA, OWNER, second, declare=limit)
    assert PluginSetting.get().value == 30
    revert(ADA, OWNER, first, declare=limit)
    assert PluginSetting.select().count() == 0
    third = put(50, 20)
    made = revert(ADA, OWNER, third, declare=limit)
    assert PluginSetting.select().count() == 0 and made.after == {"value": 20}
    Preferences().set("notes", "limit", 60)
    Preferences().reset("notes", "limit")
    for after in (None, 20):
        entry = audit.record(
            ADA, "plugin.setting", "plugin:notes.limit", {"value": 60}, {"value": after}
        )
        revert(ADA, OWNER, entry.id, declare=limit)
        assert PluginSetting.get().value == 60
        Preferences().reset("notes", "limit")


def test_what_has_become_a_secret_is_not_told(database: Database) -> None:
    """A setting that was plain when the entry was written, and is secret now."""
    plain = Undeclared("notes", "key", "")
    switching.put(ADA, Preferences(), plain, "first")
    entry = newest()
    switching.put(ADA, Preferences(), plain._replace(secret=True), "hidden")
    with pytest.raises(Refused, match="The log holds no secrets") as refusal:
        revert(ADA, OWNER, entry.id, declare=lambda plugin, key: plain._replace(secret=True))
    assert "hidden" not in str(refusal.value) and PluginSetting.get().value == "hidden"
    assert "hidden" not in repr([row.__data__ for row in AuditEntry.select()])


def test_a_role_in_the_team(database: Database) -> None:
    """The account's role goes back, by one entry; the last owner stays one."""
    ben = admins.create(ADA, "ben", StaffRole.VIEWER)
    admins.create(ADA, "olga", StaffRole.OWNER)
    entry = admins.set_role(ADA, ben, StaffRole.OWNER)
    count = AuditEntry.select().count()
    made = revert(ADA, OWNER, entry.id)
    assert Admin.get_by_id(ben.id).role == StaffRole.VIEWER
    assert (AuditEntry.select().count(), made.reverts) == (count + 1, entry.id)
    Admin.update(role=StaffRole.OWNER).where(Admin.name == "ben").execute()
    risen = audit.record(
        ADA, "admin.role", f"admin:{ben.id}", {"role": "viewer"}, {"role": "owner"}
    )
    Admin.delete().where(Admin.name == "olga").execute()
    with pytest.raises(Refused):
        revert(ADA, OWNER, risen.id)
    assert Admin.get_by_id(ben.id).role == StaffRole.OWNER


def test_it_is_done_once(database: Database) -> None:
    """An entry that was taken back is not taken back again, whatever became of it since."""
    user = person()
    entry = ban(user)
    revert(ADA, OWNER, entry.id)
    ban(User.get_by_id(user.id))
    with pytest.raises(Refused, match="has taken this back already"):
        revert(ADA, OWNER, entry.id)
    assert standing(user)[0] == Status.BANNED


def test_what_was_changed_since_stays(database: Database) -> None:
    """Whoever came after is not overruled by accident; the sentence says what is so now."""
    user = person()
    entry = ban(user)
    ban(user, "worse", None)
    with pytest.raises(Refused, match="there is another ban now"):
        revert(ADA, OWNER, entry.id)
    assert standing(user)[1] == "worse"
    users.unban(User.get_by_id(user.id))
    with pytest.raises(Refused, match=r"(status is 'active'|until is nothing) now, and this entry"):
        revert(ADA, OWNER, entry.id)
    assert AuditEntry.select().where(AuditEntry.reverts.is_null(False)).count() == 0


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("user.ban", StaffRole.OPERATOR),
        ("user.role", StaffRole.ADMIN),
        ("plugin.switch", StaffRole.ADMIN),
        ("plugin.setting", StaffRole.ADMIN),
        ("admin.role", StaffRole.OWNER),
    ],
)
def test_it_needs_the_right_of_the_deed(database: Database, action: str, role: StaffRole) -> None:
    """Nobody can undo what they could not do."""
    entry = audit.record(ADA, action, "user:1", {"x": 1}, {"x": 2})
    for each in StaffRole:
        wanted = "needs the role" if not each.may(role) else "no such|not there|was changed since"
        with pytest.raises(Refused, match=wanted):
            revert(ADA, each, entry.id)


@pytest.mark.parametrize(
    ("action", "target", "before", "after", "said"),
    [
        ("sign_in", "admin:1", {"a": 1}, {"a": 2}, "Entries of this kind"),
        ("user.ban", "user:1", None, {"status": "banned"}, "does not say what was before"),
        ("user.ban", "user:1", {"status": "active"}, None, "does not say what was before"),
        ("plugin.setting", "plugin:a.b", {"value": MASK}, {"value": "changed"}, "no secrets"),
        ("plugin.setting", "plugin:a.b", {"secret": ""}, {"secret": "changed"}, "no secrets"),
        ("user.ban", "user:99", {"status": "active"}, {"status": "banned"}, "no such person"),
        ("user.ban", "user:x", {"status": "active"}, {"status": "banned"}, "no such person"),
        ("admin.role", "admin:99", {"role": "owner"}, {"role": "viewer"}, "This account"),
        ("plugin.switch", "plugin:a@b", {"enabled": True}, {"enabled": False}, "which switch"),
        ("user.role", "user:1", {"role": "king"}, {"role": "user"}, "not known to this release"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(
    database: Database, action: str, target: str, before: Any, after: Any, said: str
) -> None:
    """Other kinds, masked secrets, people who are gone: a sentence, and nothing is written."""
    person()
    entry = audit.record(ADA, action, target, before, after)
    with pytest.raises(Refused, match=said):
        revert(ADA, OWNER, entry.id)
    assert AuditEntry.select().count() == 1


def test_an_unknown_entry_is_refused(database: Database) -> None:
    """There is nothing to take back."""
    with pytest.raises(Refused, match="no such entry"):
        revert(ADA, OWNER, 1)


def test_which_entries_were_taken_back(database: Database) -> None:
    """Asked for a page of entries at once."""
    user = person()
    first = ban(user)
    made = revert(ADA, OWNER, first.id)
    assert reverts.reverted([first, made]) == {first.id: made.id}
    assert reverts.reverted([]) == {}


def test_all_that_the_pages_do_is_taken_back(database: Database) -> None:
    """Each deed of the services that has an undo leaves an entry that the undo understands."""
    user, switches, preferences = person(), Switches(), Preferences()
    deeds: list[Callable[[], object]] = [
        lambda: care.ban(ADA, [user.id], OWNER, reason="spam", until=UNTIL),
        lambda: care.set_role(ADA, user.id, Role.MODERATOR, OWNER),
        lambda: care.set_language(ADA, user.id, Language.RU, OWNER),
        lambda: care.set_status(ADA, user.id, Status.BLOCKED, OWNER),
        lambda: switching.switch(ADA, switches, "ping", False),
        lambda: switching.switch(ADA, switches, "ping", False, -100),
        lambda: switching.put(ADA, preferences, Undeclared("notes", "limit", 20), 30),
    ]
    for deed in deeds:
        before = state(user)
        deed()
        assert state(user) != before
        revert(ADA, OWNER, newest().id, declare=limit)
        assert state(user) == before
    care.ban(ADA, [user.id], OWNER, reason="spam")
    before = state(user)
    care.unban(ADA, [user.id], OWNER)
    revert(ADA, OWNER, newest().id)
    Ban.update(reason="spam").where(Ban.reason == "restored").execute()
    assert state(user) == before and audit.verify() is None


def state(user: User) -> tuple[object, ...]:
    """What the deeds change."""
    fresh, off = User.get_by_id(user.id), PluginSwitch.select().where(~PluginSwitch.enabled)
    settings = [(row.key, row.value) for row in PluginSetting.select()]
    switches = sorted((row.plugin, row.chat_id) for row in off)
    return (standing(user), fresh.role, fresh.language, switches, settings)


def test_people_with_a_role_are_for_those_who_may_act_on_them(database: Database) -> None:
    """Nobody bans an owner of the bot, or makes one, by way of the log."""
    user = person(role=Role.OWNER)
    users.ban(user, by=None, reason="x")
    unbanned = audit.record(
        ADA, "user.ban", f"user:{user.id}", {"status": "active"}, {"status": "banned"}
    )
    with pytest.raises(Refused, match="this needs the role owner"):
        revert(ADA, StaffRole.ADMIN, unbanned.id)
    users.set_role(user, Role.USER)
    risen = audit.record(ADA, "user.role", f"user:{user.id}", {"role": "owner"}, {"role": "user"})
    with pytest.raises(Refused, match="you need a higher role than admin"):
        revert(ADA, StaffRole.ADMIN, risen.id)
    assert User.get_by_id(user.id).role == Role.USER
    revert(ADA, OWNER, risen.id)
    assert User.get_by_id(user.id).role == Role.OWNER


@pytest.mark.parametrize("kind", ["user.ban", "plugin.switch", "admin.role"])
def test_of_two_at_once_one_takes_it_back(database: Database, kind: str) -> None:
    """Two people press the button in the same moment: one entry, and one sentence."""
    user = person()
    if kind == "user.ban":
        entry = ban(user)
    elif kind == "plugin.switch":
        switching.switch(ADA, Switches(), "ping", False)
        entry = AuditEntry.get()
    else:
        admins.create(ADA, "olga", StaffRole.OWNER)
        entry = admins.set_role(ADA, admins.create(ADA, "ben", StaffRole.VIEWER), OWNER)
    database.close()
    refusals: list[str] = []

    def press() -> None:
        with database.connection_context():
            try:
                revert(ADA, OWNER, entry.id)
            except Refused as error:
                refusals.append(str(error))

    run_together(press, press, press)
    taken = AuditEntry.select().where(AuditEntry.reverts == entry.id).count()
    assert (taken, len(refusals)) == (1, 2) and audit.verify() is None
