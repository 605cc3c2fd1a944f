"""One person's page: what is shown, and what the team does there."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from admin.panel import Panel
from bot.plugin import Plugin
from bot.registry import Failure as Broken
from database import Database, now
from models import (
    AnalyticsEvent,
    Ban,
    Bot,
    Conversation,
    Failure,
    Inbox,
    Role,
    Status,
    User,
    UserPreference,
)
from services import care
from services.audit import TERMINAL
from staff import AuditEntry, StaffNote, StaffRole
from tests.admin.conftest import Browser, Clock, Visit
from tests.admin.test_tables import Counting

BOT = 42
OPERATOR, ADMIN = StaffRole.OPERATOR, StaffRole.ADMIN


@pytest.fixture
def user(database: Database) -> User:
    """Somebody who has left something everywhere."""
    first = User.create(telegram_id=1, first_name="First")
    second = User.create(telegram_id=2, first_name="Second", referrer=first)
    user: User = User.create(
        telegram_id=1000, first_name="Ada", username="ada_1", referrer=second, total_messages=12345
    )
    User.create(telegram_id=3, first_name="Third", referrer=user)
    Bot.create(id=BOT, username="steady_bot", name="Steady")
    UserPreference.create(user=user, time_zone="Europe/Berlin", quiet_from=1320, quiet_until=450)
    here = {"bot_id": BOT, "chat_id": 1000, "user_id": 1000}
    Conversation.create(**here, step="notes.save_title", data={"a": 1}, expires_at=now())
    Failure.create(
        **here,
        update_id=1,
        plugin="notes",
        handler="save",
        error="ValueError",
        message="no such list",
        traceback="",
        fingerprint="x",
    )
    row = {"bot_id": BOT, "lane": 1000, "kind": "message"}
    Inbox.create(**row, update_id=1, state="done", done_at=now())
    Inbox.create(**row, update_id=2, state="queued")
    for number in range(25):
        AnalyticsEvent.create(event_type="message", user=user, data={"n": number})
    return user


def do(browser: Browser, user: User, what: str, **fields: str) -> str:
    """Use a form of the page; what the page says then."""
    path = f"/users/{user.id}"
    answer = browser.post_form(f"{path}/{what}", path, **fields)
    assert answer.status_code == 302 and answer.location == path, answer.text
    return browser.get(path).text


def fresh(user: User) -> User:
    """The row as it is now."""
    row: User = User.get_by_id(user.id)
    return row


def test_all_of_a_person_is_on_one_page(visit: Visit, user: User) -> None:
    """Profile, line of referrals, preferences, questions, failures, what waits, events."""
    page = visit(OPERATOR).get(f"/users/{user.id}").text
    for text in (
        *("<bdi>Ada</bdi>", "<bdi>@ada_1</bdi>", "12,345", "Europe/Berlin", "22:00–07:30"),
        *("notes.save_title", "ValueError: no such list", "message 2", "1 active"),
        *("<bdi>Second</bdi></a> ← <a", "<bdi>Third</bdi>", f"/conversations/{BOT}/1000"),
        "{&#34;n&#34;: 24}",
    ):
        assert text in page, text
    assert "message 1," not in page


def test_events_go_on_page_by_page(visit: Visit, user: User) -> None:
    """Each once, newest first, by where the last page ended."""
    browser, path = visit(StaffRole.VIEWER), f"/users/{user.id}"
    page, seen = browser.get(path).text, list[int]()
    while True:
        seen += [int(n) for n in re.findall(r"&#34;n&#34;: (\d+)}", page)]
        older = re.search(r'rel="next" href="([^"#]+)', page)
        if not older:
            break
        page = browser.get(older[1]).text
    assert seen == list(range(24, -1, -1))
    for before in ("0", "-1", "9" * 30, "x&before=y"):
        assert browser.get(f"{path}?before={before}").status_code == 400


def test_the_page_costs_a_bounded_number_of_statements(
    visit: Visit, user: User, database: Database
) -> None:
    """The same for somebody with many of everything."""
    browser, path, counts = visit(OPERATOR), f"/users/{user.id}", list[int]()
    for turn in range(2):
        with Counting(database) as counted:
            browser.get(path)
        counts.append(len(counted.said))
        for number in range(10):
            care.note(TERMINAL, user.id, f"note {number}")
            User.create(telegram_id=5000 + 10 * turn + number, first_name="F", referrer=user)
    assert counts[0] == counts[1] <= 20, counts


@pytest.mark.parametrize("key", ["0", "999", "2147483648", "9" * 30, "abc", "-1", "1.5"])
def test_nobody_is_not_found(visit: Visit, user: User, key: str) -> None:
    """An id that nobody has, or can have, by page and by form."""
    browser = visit(StaffRole.OWNER)
    assert browser.get(f"/users/{key}").status_code == 404
    assert browser.post_form(f"/users/{key}/ban", "/users/", hours="").status_code in (404, 405)


def test_a_ban_has_a_reason_and_an_end(visit: Visit, user: User, clock: Clock) -> None:
    """Both are shown; it ends by a button, and then nothing of it is left."""
    browser = visit(OPERATOR)
    page = do(browser, user, "ban", reason="loud & rude", hours="24")
    assert "The person is banned." in page and "<bdi>loud &amp; rude</bdi>" in page
    assert Ban.get().until == clock() + timedelta(days=1)
    assert "for good</dd>" in do(browser, user, "ban", reason="x", hours="")
    assert "not banned any more" in do(browser, user, "unban")
    assert "nothing to change" in do(browser, user, "unban")
    assert not Ban.select().exists() and fresh(user).status == Status.ACTIVE


def test_role_status_and_language_are_changed(visit: Visit, user: User) -> None:
    """Each by a form of its own, and each is in the log."""
    browser = visit(ADMIN)
    assert "The role is now moderator." in do(browser, user, "role", value="moderator")
    assert "The status is now blocked." in do(browser, user, "status", value="blocked")
    assert "The bot speaks ru" in do(browser, user, "language", value="ru")
    row = fresh(user)
    assert (row.role, row.status, row.language) == (Role.MODERATOR, Status.BLOCKED, "ru")
    assert "higher role than admin" in do(browser, user, "role", value="owner")
    assert "use ban and unban" in do(browser, user, "status", value="banned")
    log = AuditEntry.select().where(AuditEntry.action.startswith("user."))
    assert [row.action for row in log.order_by(AuditEntry.id)] == [
        *("user.role", "user.status", "user.language")
    ]


@pytest.mark.parametrize(
    "what", ["role", "status", "language", "ban", "conversation", "note/delete"]
)
@pytest.mark.parametrize("value", ["", "emperor", "\0", "💥"])
def test_a_form_that_makes_no_sense_is_refused(
    visit: Visit, user: User, what: str, value: str
) -> None:
    """In a sentence, and nothing is changed."""
    before = fresh(user).__data__
    fields = {"value": value, "hours": value or "7", "bot_id": value, "note_id": value}
    answer = visit(StaffRole.OWNER).post_form(f"/users/{user.id}/{what}", "/users/", **fields)
    assert answer.status_code == 400
    assert fresh(user).__data__ == before and Conversation.select().exists()


def test_what_is_most_dangerous_asks_for_the_password(
    visit: Visit, user: User, clock: Clock
) -> None:
    """Roles and erasures, ten minutes after it was given."""
    browser = visit(StaffRole.OWNER)
    clock.pass_(minutes=11)
    for what in ("role", "erase"):
        answer = browser.post_form(f"/users/{user.id}/{what}", "/users/", value="admin")
        assert answer.location.startswith("/confirm")
    assert fresh(user).role == Role.USER


def test_notes_are_added_and_ones_own_deleted(visit: Visit, user: User) -> None:
    """Another's note has no button, and no way around it."""
    operator, owner = visit(OPERATOR), visit(StaffRole.OWNER)
    page = do(operator, user, "note", text="Asked for\n<b>a refund</b>")
    assert "&lt;b&gt;a refund" in page and "note/delete" in page
    note = str(StaffNote.get().id)
    assert "note/delete" not in owner.get(f"/users/{user.id}").text
    assert "nothing to change" in do(owner, user, "note/delete", note_id=note)
    assert "1 to 2000 letters" in do(operator, user, "note", text=" ")
    assert "The note is deleted." in do(operator, user, "note/delete", note_id=note)
    assert not StaffNote.select().exists()


def test_a_question_is_cleared(visit: Visit, user: User) -> None:
    """Its data is for those who act; a reader sees that there is one."""
    assert "&#34;a&#34;: 1" not in visit(StaffRole.VIEWER).get(f"/users/{user.id}").text
    page = do(visit(OPERATOR), user, "conversation", bot_id=str(BOT), chat_id="1000")
    assert "forgotten what it asked" in page and not Conversation.select().exists()


def test_all_that_is_held_is_a_file(visit: Visit, user: User, panel: Panel) -> None:
    """Of the core and of the plugins, named by the row."""
    plugin = Plugin("jars")
    plugin.export_user(lambda_export)
    panel.registry.add(plugin)
    browser = visit(ADMIN)
    answer = browser.post_form(f"/users/{user.id}/export", f"/users/{user.id}")
    assert answer.status_code == 200, answer.text
    held = json.loads(answer.data)
    assert held["plugins"] == {"jars": ["1000"]} and held["core"]["users"][0]["first_name"] == "Ada"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="user-{user.id}.json"'
    assert visit(OPERATOR).post_form(f"/users/{user.id}/export", "/users/").status_code == 403


def lambda_export(user: User) -> list[str]:
    """What a plugin holds."""
    return [str(user.telegram_id)]


def delete_jars(user: User) -> int:
    """Erase what a plugin holds."""
    return 7 if user.telegram_id == 1000 else 0


def break_down(user: User) -> int:
    """A hook that fails."""
    raise ValueError(f"no jar of {user.telegram_id}")


def test_an_erasure_takes_the_id_and_gives_a_receipt(
    visit: Visit, user: User, panel: Panel
) -> None:
    """Over core and plugins; one whose hook failed is named; then the person is gone."""
    for name, hook in (("jars", delete_jars), ("broken", break_down)):
        plugin = Plugin(name)
        plugin.delete_user(hook)
        panel.registry.add(plugin)
    browser, path = visit(ADMIN), f"/users/{user.id}"
    assert "type the Telegram id" in do(browser, user, "erase", telegram_id="ada")
    answer = browser.post_form(f"{path}/erase", path, telegram_id=" 1000 ")
    assert answer.status_code == 200
    assert "<dt>jars</dt><dd>7</dd>" in answer.text and "<dt>user_preferences</dt>" in answer.text
    assert "The plugin broken kept its rows" in answer.text
    assert browser.get(path).status_code == 404
    assert not User.select().where(User.telegram_id == 1000).exists()
    entry = AuditEntry.get(AuditEntry.action == "user.erase")
    assert (entry.target, entry.after["failed"]) == (f"user:{user.id}", ["broken"])


def test_nothing_is_erased_by_halves(visit: Visit, user: User, panel: Panel) -> None:
    """A plugin that could not be loaded would keep what it holds."""
    panel.registry.failures.append(Broken("shop", Path("shop.py"), "SyntaxError", ""))
    page = do(visit(ADMIN), user, "erase", telegram_id="1000")
    assert "shop could not be loaded" in page and fresh(user) == user


def test_who_reads_sees_no_forms(visit: Visit, user: User) -> None:
    """A viewer has none, an operator those for people, an admin all."""
    path = f"/users/{user.id}"
    pages = {role: visit(role).get(path).text for role in (StaffRole.VIEWER, OPERATOR, ADMIN)}
    forms = {
        role: set(re.findall(rf'action="{path}/([^"]+)"', text)) for role, text in pages.items()
    }
    acts = {"ban", "status", "language", "note", "conversation"}
    assert forms == {
        StaffRole.VIEWER: set(),
        OPERATOR: acts,
        ADMIN: acts | {"role", "export", "erase"},
    }
