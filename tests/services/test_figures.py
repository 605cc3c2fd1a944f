"""Figures by day: exact, of one day's rows alone, and written only when something changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from database import Database
from models import AnalyticsEvent, Failure, Status, User
from services import figures
from staff import DailyFigure
from tests.plans import statements, walks

NOON = datetime(2030, 6, 15, 12, tzinfo=UTC).replace(tzinfo=None)
TODAY = NOON.date()
YESTERDAY = TODAY - timedelta(days=1)


def happen(kind: str, at: datetime, *, user: User | None = None, times: int = 1) -> None:
    """Put events into the table."""
    for _ in range(times):
        AnalyticsEvent.create(event_type=kind, user=user, created_at=at)


def fail(at: datetime, state: str = "open") -> None:
    """Put a failure into the table."""
    about = {"plugin": "p", "handler": "h", "error": "E", "message": "", "traceback": ""}
    Failure.create(
        bot_id=1, update_id=1, fingerprint="", payload=None, state=state, created_at=at, **about
    )


def person(number: int, **values: object) -> User:
    """Somebody in the table."""
    user: User = User.create(telegram_id=number, first_name="P", **values)
    return user


def of(day: date) -> dict[str, int]:
    """The figures of a day."""
    return {row.name: row.value for row in DailyFigure.select().where(DailyFigure.day == day)}


def test_a_day_is_counted_from_midnight_to_midnight(database: Database) -> None:
    """Events by type, different people and errors of the day; the neighbours' are not its own."""
    ada, ben = person(1), person(2)
    midnight = datetime(2030, 6, 15)  # noqa: DTZ001  as the tables keep it
    happen("message", midnight - timedelta(microseconds=1), user=ada)
    happen("message", midnight, user=ada, times=2)
    happen("message", midnight + timedelta(hours=24, microseconds=-1), user=ben)
    happen("message", midnight + timedelta(hours=24), user=ben)
    happen("shop_sold", NOON)
    fail(midnight)
    fail(midnight, "dismissed")
    fail(midnight - timedelta(seconds=1))
    figures.count(TODAY, NOON)
    assert of(TODAY) == {"event.message": 3, "event.shop_sold": 1, "people": 2, "errors": 2}


def test_counting_again_is_exact_and_writes_only_what_changed(database: Database) -> None:
    """A second count adds nothing twice; what is gone from the tables is gone from the figures."""
    happen("message", NOON, times=3)
    figures.count(TODAY, NOON)
    with statements() as run:
        figures.count(TODAY, NOON)
    assert [sql for sql, _ in run if sql.startswith("INSERT")] == []
    AnalyticsEvent.delete().where(AnalyticsEvent.id == 1).execute()
    figures.count(TODAY, NOON)
    assert of(TODAY)["event.message"] == 2
    AnalyticsEvent.delete().execute()
    figures.count(TODAY, NOON)
    assert of(TODAY)["event.message"] == 0


def test_past_days_are_counted_until_they_are_closed(database: Database) -> None:
    """A day stays open until an hour after its end; then it is counted no more."""
    assert figures.open_days(NOON) == []
    happen("message", NOON - timedelta(days=3))
    expected = [TODAY - timedelta(days=back) for back in (1, 2, 3)]
    assert figures.open_days(NOON) == expected
    for day in expected:
        figures.count(day, NOON)
    assert figures.open_days(NOON) == []
    assert of(expected[-1])["event.message"] == 1
    early = datetime(2030, 6, 16, 0, 30)  # noqa: DTZ001
    figures.count(TODAY, early)
    assert figures.open_days(early) == [TODAY]
    figures.count(TODAY, early + timedelta(hours=1))
    assert figures.open_days(early + timedelta(hours=1)) == []


def test_days_beyond_reach_are_not_counted(database: Database) -> None:
    """An event with a date of long ago does not make the process count ten thousand days."""
    happen("message", datetime(1990, 1, 1))  # noqa: DTZ001
    assert len(figures.open_days(NOON)) == figures.REACH.days


def test_everybody_is_counted_by_status_and_activity(database: Database) -> None:
    """Each status has its figure, also one that nobody has."""
    person(1, last_activity_at=NOON - timedelta(hours=1))
    person(2, last_activity_at=NOON - timedelta(days=5), status=Status.BLOCKED)
    person(3, last_activity_at=NOON - timedelta(days=20))
    figures.count_people(NOON)
    assert of(TODAY) == {
        "users.active": 2,
        "users.banned": 0,
        "users.blocked": 1,
        "users.deleted": 0,
        "active.day": 1,
        "active.week": 2,
        "active.month": 3,
    }


def test_what_one_process_knows_is_added(database: Database) -> None:
    """Several processes add up; nothing is written for nothing."""
    figures.add(TODAY, {"responses": 2, "response_ms": 30})
    figures.add(TODAY, {"responses": 1, "response_ms": 0})
    assert of(TODAY) == {"responses": 3, "response_ms": 30}
    figures.add(YESTERDAY, {"responses": 0})
    assert of(YESTERDAY) == {}


def test_figures_are_read_by_name_and_day(database: Database) -> None:
    """Each name that is asked for is there, with the days that have a value."""
    figures.add(YESTERDAY, {"a": 1, "b": 2})
    figures.add(TODAY, {"a": 3})
    assert figures.read(YESTERDAY, ["a", "c"]) == {"a": {YESTERDAY: 1, TODAY: 3}, "c": {}}
    assert figures.read(TODAY, ["a", "b"]) == {"a": {TODAY: 3}, "b": {}}


@pytest.mark.parametrize("length", [58, 59, 64])
def test_a_long_name_of_an_event_has_a_figure(database: Database, length: int) -> None:
    """Two types whose names are too long to be told apart are counted together."""
    happen("e" * length, NOON)
    happen("e" * (length - 1) + "f", NOON)
    figures.count(TODAY, NOON)
    counted = {name: value for name, value in of(TODAY).items() if name.startswith("event.")}
    assert sum(counted.values()) == 2 and all(len(name) <= 64 for name in counted)


def test_a_day_with_very_many_types_has_a_bound(database: Database) -> None:
    """A plugin that makes up types does not make rows without end; no event is lost from sight."""
    rows = [{"event_type": f"made_up_{n}", "created_at": NOON} for n in range(300)]
    AnalyticsEvent.insert_many(rows).execute()
    figures.count(TODAY, NOON)
    counted = {name: value for name, value in of(TODAY).items() if name.startswith("event.")}
    assert len(counted) == figures.TYPES + 1 and sum(counted.values()) == 300


def test_no_count_walks_through_a_big_table(database: Database) -> None:
    """Events, failures and figures are found by their indexes, and people by theirs."""
    happen("message", NOON - timedelta(days=2))
    with statements() as run:
        figures.count(TODAY, NOON)
        figures.open_days(NOON)
        figures.read(YESTERDAY, ["a", "b"])
    assert len(run) >= 8
    assert walks(database, run, small={"people"}) == set()


def test_a_walk_through_a_table_is_seen(database: Database) -> None:
    """The look at the plans finds the statement that has no index to use."""
    with statements() as run:
        AnalyticsEvent.select().where(AnalyticsEvent.updated_at > NOON).count()
    assert walks(database, run, small=set()) == {"analytics_events"}
