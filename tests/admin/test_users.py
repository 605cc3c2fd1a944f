"""The list of people: found, narrowed, sorted, banned together, and taken out."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import openpyxl
import pytest

from admin.panel import Panel
from database import Database, now
from models import Ban, Status, User
from services import sheets
from staff import AuditEntry, StaffRole
from tests.admin.conftest import Browser, Clock, Visit
from tests.admin.payloads import FORMULAS
from tests.admin.test_tables import ODD, Counting


def people(count: int) -> list[User]:
    """Some people, each brought by the first, seen an hour after each other."""
    first = User.create(telegram_id=1000, first_name="Ada", username="ada_1", source="ads")
    rest = [
        User.create(
            telegram_id=1000 + n,
            first_name=f"P{n}",
            referrer=first,
            language="ru" if n % 2 else "en",
            last_activity_at=now() - timedelta(hours=n),
        )
        for n in range(1, count)
    ]
    return [first, *rest]


def shown(page: str) -> list[int]:
    """The Telegram ids in a list, in order."""
    return [int(number) for number in re.findall(r"<td>(1\d{3})</td>", page)]


def act(browser: Browser, action: str, users: list[User], **fields: str) -> str:
    """Do something to several people; where the answer leads."""
    token = browser.token("/users/")
    data = {"csrf_token": token, "action": action, "rowid": [u.id for u in users], **fields}
    answer = browser.post("/users/action/", data=data)
    assert answer.status_code == 302
    return str(answer.location)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=ada", [1000]),
        ("search=@ADA_1", [1000]),
        ("search=1002", [1002]),
        ("search=p", [1003, 1002, 1001]),
        ("language=ru", [1003, 1001]),
        ("source=ads", [1000]),
        ("role=owner", []),
        ("status=active&search=P2", [1002]),
        ("referrer=1000", [1003, 1002, 1001]),
        ("referrer=@Ada_1&language=en", [1002]),
        ("referrer=77", []),
        ("last_activity_at_from=2020-01-01", [1001, 1002, 1003]),
        ("sort=2", [1000, 1001, 1002, 1003]),
        ("sort=2&desc=1", [1003, 1002, 1001, 1000]),
        ("sort=8", [1003, 1002, 1001]),
        ("sort=8&desc=1", [1001, 1002, 1003]),
        ("sort=9", [1000, 1001, 1002, 1003]),
        ("sort=1", [1000]),
    ],
)
def test_people_are_found_narrowed_and_sorted(visit: Visit, query: str, found: list[int]) -> None:
    """By each filter, several together, and by what an index has."""
    people(4)
    assert shown(visit(StaffRole.VIEWER).get(f"/users/?{query}").text) == found


@pytest.mark.parametrize("query", [*ODD, "source=%00", "referrer=%00", "referrer=" + "9" * 40])
def test_odd_questions_are_answered(visit: Visit, query: str) -> None:
    """With a list or one sentence."""
    people(2)
    assert visit(StaffRole.VIEWER).get(f"/users/?{query}").status_code in (200, 400)


def test_what_the_list_leaves_out_is_said(visit: Visit) -> None:
    """Sorted by when they were seen, those who never were are not in it, on either engine."""
    people(3)
    browser = visit(StaffRole.VIEWER)
    assert "Shown are those with: Last seen" in browser.get("/users/?sort=8").text
    assert "Shown are those" not in browser.get("/users/?sort=2").text


def test_a_page_costs_at_most_four_statements(visit: Visit, database: Database) -> None:
    """However many people are on it, and whatever it is narrowed to."""
    people(30)
    browser = visit(StaffRole.VIEWER)
    for query in ("", "?search=ada&role=user&referrer=1000", "?page=1&sort=8"):
        with Counting(database) as counted:
            assert browser.get(f"/users/{query}").status_code == 200
        listing = [sql for sql in counted.said if '"users"' in sql or "pg_class" in sql]
        assert 1 <= len(listing) <= 4, listing


def test_several_are_banned_with_a_reason_and_let_in_again(visit: Visit) -> None:
    """Those who were chosen and nobody else, each with an entry in the log."""
    first, second, third = people(3)
    browser = visit(StaffRole.OPERATOR)
    act(browser, "ban", [first, second], reason="spam")
    assert "2 people are banned." in browser.get("/users/").text
    assert {ban.user_id: ban.reason for ban in Ban.select()} == {
        first.id: "spam",
        second.id: "spam",
    }
    act(browser, "unban", [first, second, third])
    assert "2 people are no longer banned." in browser.get("/users/").text
    assert {user.status for user in User.select()} == {Status.ACTIVE}
    done = [(row.action, row.actor) for row in AuditEntry.select().order_by(AuditEntry.id)]
    assert done == [("user.ban", "operator")] * 2 + [("user.unban", "operator")] * 2


def test_many_at_once_need_the_password_anew(visit: Visit, clock: Clock) -> None:
    """More than twenty, ten minutes after the password; fewer go through."""
    rows = people(21)
    browser = visit(StaffRole.OPERATOR)
    clock.pass_(minutes=11)
    assert act(browser, "ban", rows).startswith("/confirm")
    assert not Ban.select().exists()
    act(browser, "ban", rows[:20])
    assert Ban.select().count() == 20


@pytest.mark.parametrize("ids", [["abc"], ["1", "-1"], ["9" * 30], ["\0"], ["1 OR 1=1"]])
def test_what_is_no_persons_box_is_refused(visit: Visit, ids: list[str]) -> None:
    """Nobody is banned by half a form."""
    people(2)
    browser = visit(StaffRole.OPERATOR)
    data = {"csrf_token": browser.token("/users/"), "action": "ban", "rowid": ids}
    assert browser.post("/users/action/", data=data).status_code == 400
    assert not Ban.select().exists()


def test_more_than_a_hundred_and_who_is_above_are_refused_in_a_sentence(visit: Visit) -> None:
    """The whole choice is left alone."""
    rows = people(101)
    browser = visit(StaffRole.OPERATOR)
    act(browser, "ban", rows)
    assert "at most 100 people" in browser.get("/users/").text
    User.update(role="owner").where(User.id == rows[0].id).execute()
    act(browser, "ban", rows[:2])
    assert "needs the role owner" in browser.get("/users/").text
    assert not Ban.select().exists()


def test_the_chosen_people_are_taken_out_as_csv(
    visit: Visit, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters and search count; over several batches, after the request's connection is gone."""
    monkeypatch.setattr(sheets, "BATCH", 2)
    people(6)
    browser = visit(StaffRole.ADMIN)
    data = {"csrf_token": browser.token("/users/")}
    with browser.post("/users/users.csv?referrer=1000", data=data) as answer:
        rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True), newline="")))
    assert [row[1] for row in rows[1:]] == ["1001", "1002", "1003", "1004", "1005"]
    name = f'attachment; filename="users-{panel.clock():%Y-%m-%d}.csv"'
    assert answer.headers["Content-Disposition"] == name
    assert answer.mimetype == "text/csv" and "no-store" in answer.headers["Cache-Control"]
    with browser.post("/users/users.csv?search=ada&role=user", data=data) as answer:
        assert answer.get_data(as_text=True).count("\r\n") == 2
    entry = AuditEntry.select().order_by(AuditEntry.id.desc()).get()
    said = (entry.action, entry.target, entry.after)
    assert said == ("users.export", "users", {"format": "csv", "narrowed_by": ["role", "search"]})


def test_the_chosen_people_are_taken_out_for_excel(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that opens; more than it can hold are refused in a sentence."""
    people(3)
    User.update(first_name=FORMULAS[1]).where(User.telegram_id == 1001).execute()
    browser = visit(StaffRole.ADMIN)
    data = {"csrf_token": browser.token("/users/")}
    with browser.post("/users/users.xlsx", data=data) as answer:
        sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    assert [row[3].value for row in sheet.iter_rows(min_row=2)] == ["Ada", f"'{FORMULAS[1]}", "P2"]
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="users-')
    monkeypatch.setattr(sheets, "MOST", 2)
    answer = browser.post("/users/users.xlsx", data=data)
    assert answer.status_code == 400 and "take CSV" in answer.text


def test_nobody_below_an_admin_takes_people_out(visit: Visit) -> None:
    """Nor by an address that somebody was sent: it is a form with a token."""
    people(1)
    operator = visit(StaffRole.OPERATOR)
    page = operator.get("/users/").text
    assert "users.csv" not in page and 'value="ban"' in page
    data = {"csrf_token": operator.token("/users/")}
    assert operator.post("/users/users.csv", data=data).status_code == 403
    admin = visit(StaffRole.ADMIN)
    assert "users.csv" in admin.get("/users/").text
    assert admin.get("/users/users.csv").status_code in (404, 405)
    assert admin.post("/users/users.csv").status_code == 400


def test_a_reader_sees_no_boxes(visit: Visit) -> None:
    """What one may not do is not offered."""
    people(1)
    page = visit(StaffRole.VIEWER).get("/users/").text
    assert 'name="rowid"' not in page and "Ada" in page


def test_an_empty_list_says_what_to_do(visit: Visit) -> None:
    """And another sentence when filters leave nothing."""
    browser = visit(StaffRole.VIEWER)
    assert "write to it, and you are the first" in browser.get("/users/").text
    assert "change the search or the filters" in browser.get("/users/?search=zzz").text
