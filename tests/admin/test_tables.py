"""Lists of rows: what the library gets wrong by itself, on both engines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Self

import pytest
from flask import Flask
from flask_admin.actions import action

from admin.panel import Panel
from admin.views.narrow import fitting
from admin.views.table import Table
from database import Database
from models import AnalyticsEvent, Chat, PluginSwitch, User
from staff import AuditEntry, StaffRole
from tests.admin.conftest import Visit, put_on

FOREIGN = ["http:evil.com", "//evil.com", "/\\evil.com", "https://evil.com", "\t/x", "javascript:x"]
ODD = [
    *("page=-1", "page=100000000000000000000", "page=abc", "page_size=-5", "page_size=10000000"),
    *("sort=99", "sort=-1", "sort=abc", "desc=x", "search=%25%5F%5C", "search=%F0%9F%98%80"),
    *("telegram_id=abc", "telegram_id=99999999999999999999", "role=nobody", "search=%00"),
    *("created_at_from=yesterday", "created_at_to=9999-12-31", "search=%ED%A0%80", "endpoint=x"),
    *("flt0_0=x", "id=1&id=2", "_method=POST", "search=" + "x" * 101),
]


class People(Table):
    """A list to look at: read by viewers, changed by admins."""

    read, write = StaffRole.VIEWER, StaffRole.ADMIN
    can_edit = can_delete = True
    column_list = ("telegram_id", "first_name", "username", "role", "referrer")
    column_sortable_list = ("telegram_id", "username")
    column_searchable_list = ("first_name", "username")
    form_columns = ("first_name", "username")
    prefetched = ("referrer",)
    narrowed_by = tuple(
        each
        for name in ("telegram_id", "role", "created_at", "referrer")
        for each in fitting(User._meta.fields[name], name)
    )

    @action("mark", "Mark", "Mark them?")
    def action_mark(self, ids: list[str]) -> None:
        """Do something to several rows."""
        User.update(source="marked").where(User.id.in_([int(i) for i in ids])).execute()


class Switches(Table):
    """A list that nobody changes."""

    read = StaffRole.VIEWER


@pytest.fixture
def panel(panel: Panel) -> Panel:
    """What the pages of the application with the two lists work with."""
    return put_on(panel, "lists")


@pytest.fixture
def app(app: Flask, panel: Panel) -> Flask:
    """The application with two lists."""
    if "people" not in app.blueprints:
        desk = app.extensions["admin"][0]
        desk.add_view(People(panel, User, name="People", endpoint="people", url="/people"))
        desk.add_view(Switches(panel, PluginSwitch, name="S", endpoint="switches", url="/switches"))
    return app


def people(count: int) -> list[User]:
    """Some people, each brought by the first."""
    first = User.create(telegram_id=1000, first_name="Ada", username="ada_1")
    rest = [
        User.create(telegram_id=1000 + n, first_name=f"P{n}", username=f"p{n}", referrer=first)
        for n in range(1, count)
    ]
    return [first, *rest]


def shown(page: str) -> list[int]:
    """The Telegram ids in a list, in order."""
    return [int(number) for number in re.findall(r"<td>(1\d{3})</td>", page)]


class Counting:
    """How many statements ran while it was entered."""

    def __init__(self, database: Database) -> None:
        self.database, self.said = database, list[str]()

    def __enter__(self) -> Self:
        self.execute = self.database.execute_sql
        self.database.execute_sql = self.count  # type: ignore[method-assign]
        return self

    def count(self, sql: str, params: Any = None) -> Any:
        self.said.append(sql)
        return self.execute(sql, params)

    def __exit__(self, *_error: object) -> None:
        del self.database.execute_sql


def test_the_newest_come_first_and_pages_do_not_overlap(visit: Visit) -> None:
    """Every row is on exactly one page, also after rows were written to."""
    people(45)
    browser = visit(StaffRole.VIEWER)
    first = shown(browser.get("/people/").text)
    User.update(source="x").where(User.telegram_id == 1044).execute()
    rest = [shown(browser.get(f"/people/?page={page}").text) for page in (1, 2)]
    assert [*first, *rest[0], *rest[1]] == list(range(1044, 999, -1))


def test_a_page_costs_few_statements(visit: Visit, database: Database) -> None:
    """Keys, rows, what they point at and the number of rows: at most four, however many rows."""
    people(60)
    browser = visit(StaffRole.VIEWER)
    browser.get("/people/")
    with Counting(database) as counted:
        assert browser.get("/people/?page_size=50").status_code == 200
    listing = [sql for sql in counted.said if '"users"' in sql or "pg_class" in sql]
    assert 1 <= len(listing) <= 4, listing


def test_a_search_shows_its_first_rows(visit: Visit) -> None:
    """To skip rows of a search is to find them all first: it ends, and says what to do."""
    people(3)
    browser = visit(StaffRole.VIEWER)
    assert shown(browser.get("/people/?search=P&page_size=100&page=0").text)
    for query in ("search=P&page=500", "search=P&page_size=100&page=100"):
        page = browser.get(f"/people/?{query}")
        assert page.status_code == 200 and "shows its first 10,000 rows" in page.text


def test_sorted_by_what_is_unique(visit: Visit) -> None:
    """The pages of a list that is sorted by a unique column follow each other, both ways."""
    people(45)
    browser = visit(StaffRole.VIEWER)
    for desc, wanted in (("", list(range(1000, 1045))), ("&desc=1", list(range(1044, 999, -1)))):
        pages = [shown(browser.get(f"/people/?sort=0{desc}&page={n}").text) for n in range(3)]
        assert [*pages[0], *pages[1], *pages[2]] == wanted


@pytest.mark.parametrize("query", ODD)
def test_what_makes_no_sense_is_no_fault_of_ours(visit: Visit, query: str) -> None:
    """Odd arguments give a list or one clear sentence, never an error of the server."""
    people(3)
    assert visit(StaffRole.VIEWER).get(f"/people/?{query}").status_code in (200, 400)


@pytest.mark.parametrize("key", ["abc", "-1", "9" * 30, "%00", "1&id=2", "", "1.5", "true"])
def test_a_key_that_is_none_finds_nothing(visit: Visit, key: str) -> None:
    """It leads back to the list, and says so."""
    people(1)
    answer = visit(StaffRole.ADMIN).get(f"/people/edit/?id={key}", follow_redirects=True)
    assert answer.status_code in (200, 400)


def test_search_takes_letters_as_they_are(visit: Visit) -> None:
    """% and _ mean themselves; case does not matter; the box says what it is for."""
    people(3)
    browser = visit(StaffRole.VIEWER)
    assert shown(browser.get("/people/?search=ADA_").text) == [1000]
    assert shown(browser.get("/people/?search=a_a").text) == []
    assert shown(browser.get("/people/?search=%25").text) == []
    page = browser.get("/people/").text
    assert 'placeholder="Search"' in page and "None" not in page


def test_filters_choose_rows(visit: Visit) -> None:
    """By a word, by a number, by a day; several together; keys of other tables too."""
    first, second, third = people(3)
    User.update(role="admin").where(User.id == second.id).execute()
    browser = visit(StaffRole.VIEWER)
    assert shown(browser.get("/people/?role=admin").text) == [1001]
    assert shown(browser.get("/people/?telegram_id=1002").text) == [third.telegram_id]
    assert shown(browser.get(f"/people/?referrer={first.id}&role=user").text) == [1002]
    today = f"{first.created_at:%Y-%m-%d}"
    assert (
        len(shown(browser.get(f"/people/?created_at_from={today}&created_at_to={today}").text)) == 3
    )
    assert shown(browser.get("/people/?created_at_to=2020-01-01").text) == []


def test_a_filter_stays_on_the_way_to_the_next_page(visit: Visit) -> None:
    """Search, filters and sorting are in the addresses of the pages."""
    people(30)
    page = visit(StaffRole.VIEWER).get("/people/?role=user&search=P&sort=0").text
    (link,) = re.findall(r'rel="next" href="([^"]+)"', page)
    assert all(part in link for part in ("role=user", "search=P", "sort=0", "page=1"))


def test_an_edit_writes_what_was_changed_and_nothing_else(visit: Visit) -> None:
    """A counter that the bot raised meanwhile stays; noted is what was changed, not to what."""
    (user,) = people(1)
    browser = visit(StaffRole.ADMIN)
    path = f"/people/edit/?id={user.id}"
    token = browser.token(path)
    User.update(total_messages=User.total_messages + 1).execute()
    fields = {"csrf_token": token, "first_name": "Ida", "username": "ada_1", "role": "owner"}
    assert browser.post(path, data=fields).status_code == 302
    kept = User.get()
    assert (kept.first_name, kept.total_messages, kept.role) == ("Ida", 1, "user")
    entry = AuditEntry.get(AuditEntry.action == "row.edit")
    assert (entry.before, entry.after) == (None, {"changed": ["first_name"]})


@pytest.mark.parametrize("method", ["edit/?id=1", "delete/", "action/"])
def test_a_reader_changes_nothing(visit: Visit, method: str) -> None:
    """Not by a form, not by an action on several rows, not by a deletion."""
    people(2)
    browser = visit(StaffRole.OPERATOR)
    fields = {"csrf_token": browser.token("/"), "id": "1", "rowid": "1", "action": "mark"}
    assert browser.post(f"/people/{method}", data=fields).status_code == 403
    assert [user.source for user in User.select()] == [None, None]


def test_what_a_list_does_not_allow_has_no_route(app: Flask) -> None:
    """Nothing is edited inline, and what nobody changes has only a list."""
    rules = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert {name for name in rules if name.startswith("switches.")} == {"switches.index_view"}
    assert {name for name in rules if name.startswith("people.")} == {
        f"people.{name}" for name in ("index_view", "edit_view", "delete_view", "action_view")
    }


@pytest.mark.parametrize("where", FOREIGN)
def test_a_form_leads_nowhere_else(visit: Visit, where: str) -> None:
    """The library follows `url` after a form; only paths of the panel are let through."""
    (user,) = people(1)
    browser = visit(StaffRole.ADMIN)
    fields = {"csrf_token": browser.token("/"), "id": str(user.id), "url": where}
    assert browser.post("/people/delete/", data=fields).status_code == 400
    assert browser.get("/people/edit/", query_string={"id": 1, "url": where}).status_code == 400
    assert User.select().count() == 1


def test_deleting_and_acting_ask_first_without_a_handler_in_the_page(visit: Visit) -> None:
    """The policy forbids handlers in the page, so what is asked stands in the form."""
    people(1)
    page = visit(StaffRole.ADMIN).get("/people/").text
    assert 'data-confirm="Delete this row?"' in page and 'data-confirm="Mark them?"' in page
    assert not re.search(r"\son\w+=|javascript:", page)


def test_an_action_reaches_the_chosen_rows(visit: Visit) -> None:
    """And no others."""
    rows = people(3)
    browser = visit(StaffRole.ADMIN)
    fields = {"csrf_token": browser.token("/people/"), "action": "mark", "rowid": [rows[1].id]}
    browser.post("/people/action/", data=fields)
    assert [user.source for user in User.select().order_by(User.id)] == [None, "marked", None]


def test_a_form_that_would_list_a_whole_table_is_refused(panel: Panel) -> None:
    """A key of another table without a lookup by letters would fill the page with its rows."""

    class Events(Table):
        read = write = StaffRole.ADMIN
        can_edit = True
        form_columns = ("user", "event_type")

    with pytest.raises(ValueError, match="form_ajax_refs"):
        Events(panel, AnalyticsEvent)


@pytest.mark.parametrize("model", [User, AnalyticsEvent, Chat, PluginSwitch])
def test_every_column_has_filters_that_fit(database: Database, model: Any) -> None:
    """Keys, JSON, choices and subclasses of fields too."""
    for column in model._meta.sorted_fields:
        assert fitting(column, column.name), column.name


def test_an_error_in_a_page_is_told_as_it_is(panel: Panel) -> None:
    """The library would replace every TypeError by one about an argument of its own."""

    class Broken(Table):
        read = StaffRole.VIEWER

    def view(_self: object) -> None:
        raise TypeError("the true one")

    broken: Callable[..., Any] = Broken(panel, User)._run_view
    with pytest.raises(TypeError, match="the true one"):
        broken(view)


def test_the_number_of_rows_is_counted_up_to_a_limit(
    visit: Visit, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of a million rows does not count them."""
    monkeypatch.setattr("admin.views.table.COUNTED", 2)
    people(2)
    if not database.local:
        database.execute_sql("ANALYZE users")  # or it believes what an earlier test had there
    browser = visit(StaffRole.VIEWER)
    assert ">2 rows</span>" in browser.get("/people/").text
    User.create(telegram_id=5000, first_name="M")
    assert "more than 2" in browser.get("/people/?role=user").text
