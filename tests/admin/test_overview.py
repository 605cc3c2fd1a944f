"""The overview: numbers of now and by day, of few queries, for whoever may see them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from admin.views import cards
from database import Database
from models import Failure, Inbox, Lease, Notice, User
from services import figures, pulse
from staff import Message, StaffRole
from tests.admin.conftest import Clock, Visit
from tests.plans import statements, walks


def shown(visit: Visit, days: int = 30) -> dict[str, Any]:
    """The numbers of the page, as it refreshes itself."""
    answer = visit(StaffRole.VIEWER).get(f"/overview.json?days={days}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def card(numbers: dict[str, Any], key: str) -> tuple[str, str, str]:
    """Value, note and tone of a card."""
    found = next(each for each in numbers["cards"] if each["key"] == key)
    return found["value"], found["note"], found["tone"]


def test_a_new_installation_is_told_what_to_do(visit: Visit) -> None:
    """Without a single person the page says how the first one comes; with one it does not."""
    page = visit(StaffRole.VIEWER).get("/")
    assert page.status_code == 200 and "Nobody has written to the bot yet" in page.text
    assert shown(visit)["empty"] is True
    User.create(telegram_id=1, first_name="Ada")
    assert "Nobody has written" not in visit(StaffRole.VIEWER).get("/").text


def test_the_cards_say_what_the_figures_say(visit: Visit, clock: Clock) -> None:
    """Every card has its number, from the figures of today or the newest there are."""
    today = clock().date()
    yesterday = today - timedelta(days=1)
    figures.add(today, {"event.message": 1200, "event.command": 34, "event.user_joined": 2})
    figures.add(today, {"errors": 3, "responses": 4, "response_ms": 50})
    figures.add(yesterday, {"event.message": 7, "users.active": 40, "users.banned": 2})
    figures.add(yesterday, {"active.day": 5, "active.week": 11, "active.month": 30})
    numbers = shown(visit)
    assert card(numbers, "users") == ("42", "2 banned, 0 blocked, 0 deleted", "")
    assert [card(numbers, key)[0] for key in ("day", "week", "month")] == ["5", "11", "30"]
    assert card(numbers, "messages")[:2] == ("1,234", "7 yesterday")
    assert card(numbers, "new")[:2] == ("2", "0 yesterday")
    assert card(numbers, "errors") == ("3", "0 failures are open", "bad")
    assert card(numbers, "response")[0] == "12 ms"
    page = visit(StaffRole.VIEWER).get("/").text
    assert "1,234" in page and "7 yesterday" in page


def test_the_charts_have_a_value_for_each_day(visit: Visit, clock: Clock) -> None:
    """The oldest day stands first; a day without answers has no response time, and no zero."""
    today = clock().date()
    figures.add(today, {"event.message": 2, "event.command": 3, "responses": 2, "response_ms": 9})
    figures.add(today - timedelta(days=29), {"event.message": 1, "event.user_blocked": 4})
    figures.add(today - timedelta(days=30), {"event.message": 99})
    lines = shown(visit)["lines"]
    assert {len(values) for values in lines.values()} == {30}
    assert (lines["messages"][0], lines["messages"][-1]) == (1, 5)
    assert (lines["blocked"][0], lines["blocked"][-1]) == (4, 0)
    assert lines["response"] == [None] * 29 + [4.5]
    assert lines["days"][-1] - lines["days"][0] == 29 * 86_400
    assert len(shown(visit, 365)["lines"]["messages"]) == 365
    page = visit(StaffRole.VIEWER).get("/?days=90").text
    drawn = re.search(r'id="lines">(.*?)</script>', page)
    assert drawn and len(json.loads(drawn[1])["messages"]) == 90


@pytest.mark.parametrize("days", ["", "0", "-1", "31", "abc", "10" * 10, "%00", "30.0", "٣٠"])
def test_other_spans_are_refused(visit: Visit, days: str) -> None:
    """A number of days that is not offered is a bad request."""
    assert visit(StaffRole.VIEWER).get(f"/overview.json?days={days}").status_code == 400
    assert visit(StaffRole.VIEWER).get(f"/?days={days}").status_code == 400


def test_what_waits_is_counted(visit: Visit, clock: Clock) -> None:
    """The inbox with its oldest update, due notices, messages on their way, open failures."""
    at = clock()
    user = User.create(telegram_id=1, first_name="Ada")
    for number, (state, ago) in enumerate([("new", 5), ("queued", 90), ("done", 999)]):
        Inbox.create(
            bot_id=1,
            update_id=number,
            lane=1,
            kind="message",
            state=state,
            received_at=at - timedelta(seconds=ago),
            done_at=at if state == "done" else None,
        )
    Notice.create(user=user, category="a.b", params={}, due_at=at - timedelta(seconds=1))
    Notice.create(user=user, category="a.b", params={}, due_at=at + timedelta(hours=1))
    for state in ("queued", "sent", "received"):
        Message.create(bot_id=1, chat_id=1, state=state, text="")
    Failure.create(
        bot_id=1,
        update_id=1,
        plugin="p",
        handler="h",
        error="E",
        message="",
        traceback="",
        fingerprint="",
        payload=None,
    )
    assert pulse.waiting(at) == (2, 1, 1, 1, 1, 90.0)
    numbers = shown(visit)
    assert card(numbers, "inbox") == ("2", "the oldest for 90 s", "bad")
    assert card(numbers, "queue")[:2] == ("2", "1 notices, 1 messages")
    assert card(numbers, "errors") == ("0", "1 failures are open", "good")


def test_the_poller_is_shown_by_its_lease(visit: Visit, clock: Clock) -> None:
    """Who holds a bot's lease and beats it polls; silence, and a lease given back, are seen."""
    assert card(shown(visit), "poller") == ("none", "no bot has run yet", "warn")
    lease = Lease.create(
        name="poller:7", owner="host/ns/42/9", fence=1, beats=1, updated_at=clock()
    )
    Lease.create(name="other", owner="x", fence=1, beats=1)
    assert card(shown(visit), "poller") == ("running", "host, process 42, 0 s ago", "good")
    clock.pass_(seconds=16)
    assert card(shown(visit), "poller") == ("silent", "bot 7: last beat 16 s ago", "bad")
    Lease.create(name="poller:8", owner="host/ns/43/9", fence=1, beats=1, updated_at=clock())
    assert card(shown(visit), "poller")[0] == "1 of 2"
    Lease.update(owner="").where(Lease.name == lease.name).execute()
    Lease.delete().where(Lease.name == "poller:8").execute()
    assert card(shown(visit), "poller")[0] == "stopped"


def test_a_backlog_is_counted_up_to_a_bound(database: Database, clock: Clock) -> None:
    """However much waits, the count stops, and the page says that there is more."""
    rows = [
        {"update_id": n, "bot_id": 1, "lane": 1, "kind": "m", "state": "new"} for n in range(11)
    ]
    Inbox.insert_many(rows).execute()
    assert pulse.waiting(clock()).inbox == 11
    assert (cards.bounded(10_000), cards.bounded(10_001)) == ("10,000", "10,000+")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (1e6, "12 d")]
)
def test_spans_are_said_as_people_do(seconds: float, said: str) -> None:
    """The largest unit of which there are two."""
    assert cards.span(seconds) == said


def test_an_answer_costs_a_handful_of_queries_and_no_walk(
    visit: Visit, database: Database, clock: Clock
) -> None:
    """Figures, what waits, leases, and the visitor's session: nothing else, each by an index."""
    figures.add(clock().date(), {"event.message": 1})
    browser = visit(StaffRole.VIEWER)
    with statements() as run:
        browser.get("/overview.json?days=365")
    asked = [sql for sql, _ in run if "SELECT" in sql]
    assert len(asked) <= 4
    assert walks(database, run, small={"leases"}) == set()


def test_a_visitor_who_is_signed_out_is_told_so(visit: Visit) -> None:
    """The page that refreshes itself gets a 401, by which it knows to stop."""
    answer = visit(None).get("/overview.json", headers={"Accept": "application/json"})
    assert answer.status_code == 401
