"""The model: any series of pushes, crashes, redeliveries and replays keeps the books right."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.chores import Chores
from bot.inbox import Inbox, Item, LaneKey
from bot.lease import Fenced, Lease
from bot.raw import Raw
from bot.testing import ChatKit
from database import Database, db
from models import AnalyticsEvent, Failure, User
from models import Inbox as Row
from services import failures
from staff import TABLES
from tests.chaos.book import Book, Page
from tests.chaos.post import BOT_ID, Post, message
from tests.chaos.run_bot import Amnesiac, Forgetful

DIARY = [Path(__file__).parent / "diary"]
PEOPLE = range(1, 4)
WORDS = ("plain", "plain", "/fail", "/note")
LONG = int(os.environ.get("CHAOS_EXAMPLES", "0"))
"""How many examples to try at random; 0 for the few of the suite, always the same."""


class Machine(RuleBasedStateMachine):
    """The real path from the poller to the ledger, one step at a time, beside the book."""

    kit: ChatKit

    def __init__(self) -> None:
        super().__init__()
        self.diary: Any = sys.modules["steadygram_plugins.diary"]
        for notes in (self.diary.pages, self.diary.mended, self.diary.deadly):
            notes.clear()
        with db.atomic():
            for model in reversed(TABLES):
                model.delete().execute()
        self.post = self.kit.telegram = Post()
        self.book = Book()
        self.raw: dict[int, Raw] = {}
        self.live()

    def live(self) -> None:
        """Begin a new life: a core that knows nothing, on the same database."""
        self.kit.core = self.core = self.kit._start()
        (self.seat,) = self.core.seats
        assert self.seat.lease.valid()
        vars(self.core.lanes)["_lane_limit"] = 2
        self.entries: list[tuple[int, str]] = []
        add, commit_group = self.core.ledger.add, self.core.ledger.commit_group

        def spy(entry: Any) -> None:
            self.entries.append((entry.item.update_id, entry.state))
            add(entry)

        def spy_group(entries: Any) -> None:
            self.entries += [(entry.item.update_id, entry.state) for entry in entries]
            commit_group(entries)

        vars(self.core.ledger).update(add=spy, commit_group=spy_group)
        self.chores = Chores(self.core, [self.kit.switches, self.kit.preferences])

    # What happens.

    @rule(
        person=st.sampled_from(PEOPLE),
        words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
        fetched=st.booleans(),
    )
    def push(self, person: int, words: list[str], fetched: bool) -> None:
        """Somebody writes, and it may be fetched at once."""
        for word in words:
            update = self.post.queue(message(person, word))
            number = update["update_id"]
            self.raw[number], self.book.pages[number] = update, Page(number, person, word)
        if fetched:
            self.fetch()

    @rule()
    def fetch(self) -> None:
        """One getUpdates, and the commit of what it brought."""
        known = self.states()
        self.seat.poller.step(0)
        self.book.accept(sorted(set(self.states()) - set(known)))

    @precondition(lambda self: self.book.table())
    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        """Telegram sends again what it sent before, in any order, among what is new."""
        numbers = st.lists(st.sampled_from(sorted(self.book.table())), min_size=1, max_size=8)
        self.post.again = [self.raw[number] for number in data.draw(numbers)]
        self.fetch()

    @rule(steps=st.integers(1, 6))
    def handle(self, steps: int) -> None:
        """The worker runs the next update of the lane that waits longest."""
        for _ in range(steps):
            self.handle_one()

    @rule()
    def commit(self) -> None:
        """The ledger's group commit."""
        self.core.ledger.flush()
        self.book.commit()

    @rule(mended=st.booleans())
    def mend(self, mended: bool) -> None:
        """The author mends what fails, or breaks it again."""
        self.diary.mended[:] = [True] * mended

    @rule()
    def crash(self) -> None:
        """The process dies between two steps; another takes its lease over."""
        self.book.crash()
        self.take_over()

    @rule()
    def die(self) -> None:
        """The process dies in the next handler."""
        self.diary.deadly[:] = [True]
        self.handle_one()

    @rule()
    def restart(self) -> None:
        """The process stops as it should, and starts."""
        self.commit()
        self.core.inbox.exonerate(BOT_ID)
        self.seat.lease.release()
        self.live()

    @precondition(lambda self: Failure.select().where(Failure.state == "open").exists())
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Somebody puts a failed update back, from another process."""
        rows = Failure.select().where(Failure.state == "open").order_by(Failure.id)
        row = data.draw(st.sampled_from(list(rows)))
        assert failures.replay(row.id)
        self.book.replay(row.update_id)

    @rule()
    def claim(self) -> None:
        """The chores of a second, which take over what was put back."""
        self.chores.step(0.0)
        self.book.claim()

    # What must hold.

    @invariant()
    def the_inbox_is_as_the_book_says(self) -> None:
        """Each update is in the state that follows from what happened, and none is missing."""
        assert self.states() == self.book.table(), "the inbox is not as the book says"

    @invariant()
    def what_telegram_forgot_is_in_the_inbox(self) -> None:
        """Telegram was told of nothing that is not committed."""
        confirmed = list(self.book.pages)[: len(self.book.pages) - self.post.waiting()]
        assert set(confirmed) <= set(self.states()), "an update is lost"

    @invariant()
    def the_counters_are_right(self) -> None:
        """Users, events, failures and the rows of handlers are in step with the inbox."""
        counts, failed = Counter[int](), Counter[int]()
        for page in self.book.pages.values():
            counts[page.person] += page.counts
            failed[page.id] += page.failures
        totals = Counter({user.telegram_id: user.total_messages for user in User.select()})
        assert +counts == +totals, "somebody is miscounted"
        assert +failed == Counter(row.update_id for row in Failure.select())
        events = Counter(event.event_type for event in AnalyticsEvent.select())
        assert events["command"] + events["message"] == counts.total()
        noted = [p for p in self.book.pages.values() if p.word == "/note" and p.counts]
        assert events["written"] == len(noted), "a handler's row is lost or doubled"

    def teardown(self) -> None:
        """Drain: everything is done or failed, counted once, and answered."""
        if sys.exc_info()[0]:
            return  # a rule failed: what it saw is what counts
        self.drain()
        self.the_inbox_is_as_the_book_says()
        self.the_counters_are_right()
        answered = {text.partition(" ")[2] for _, text in self.post.sent}
        for page in self.book.pages.values():
            assert page.state in ("done", "failed"), f"{page} was left behind"
            assert page.counts == 1 or page.deaths, f"{page} is miscounted"
            assert page.state == "failed" or str(page.id) in answered, f"{page} has no answer"

    # How.

    def states(self) -> dict[int, str]:
        """The inbox as it is."""
        return {row.update_id: row.state for row in Row.select(Row.update_id, Row.state)}

    def handle_one(self) -> None:
        if len(self.core.ledger._waiting) >= self.kit.settings.threads - 2:
            self.commit()
        self.seat.lease.step()
        ran, begun = len(self.diary.pages), len(self.entries)
        armed = bool(self.diary.deadly)
        self.core.crew.step()
        if armed and not self.diary.deadly:
            self.book.die(self.diary.pages[-1])
            return self.take_over()
        pages = self.diary.pages[ran:]
        for number, state in self.entries[begun:]:
            found = self.states().get(number, "")
            mended = bool(self.diary.mended)
            self.book.handle(number, state, found, ran=pages == [number], mended=mended)
        ended = [number for number, _ in self.entries[begun:]]
        assert set(pages) <= set(ended), f"{pages} handled again, to no end"

    def take_over(self) -> None:
        """Another process begins; this one wakes up once more and commits: it must not."""
        asleep = self.core.ledger
        db.execute_sql("UPDATE leases SET owner = ''")
        self.live()
        if asleep._waiting:
            with pytest.raises(Fenced):
                asleep.flush()

    def drain(self) -> None:
        self.diary.deadly.clear()
        self.claim()
        while self.post.waiting():
            self.fetch()
        quiet = 0
        while quiet < 2 * len(PEOPLE):
            before = len(self.entries)
            self.handle_one()
            quiet = 0 if len(self.entries) > before else quiet + 1
        self.commit()


class Backwards(Inbox):
    """Reads what waits from the end."""

    def load(self, key: LaneKey, skip: set[int], limit: int) -> list[Item]:
        return super().load(key, skip, limit)[::-1]


class Unfenced(Lease):
    """Lets a process that lost its lease go on."""

    def proof(self) -> tuple[str, tuple[str | int, ...]]:
        return "SELECT 1", ()


@pytest.fixture
def machine(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Machine]]:
    """The machine, with a kit that all its examples share, and no texts to read."""
    monkeypatch.setattr("bot.kit.locales", lambda _: ())
    monkeypatch.setattr("bot.quarantine.CALM", 0.0)
    monkeypatch.setattr("bot.breaker.FAILURES", 2**31)  # a suspended plugin handles nothing
    with ChatKit(DIARY, database=database, BOT_THREADS="6") as kit:
        yield type("Machine", (Machine,), {"kit": kit})


def run(machine: type[Machine], examples: int, steps: int) -> None:
    """Try so many series of so many steps."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=LONG or examples,
            stateful_step_count=steps,
            derandomize=not LONG,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_the_books_are_right(machine: type[Machine]) -> None:
    """Nothing is lost, doubled or out of order; the tables say what the model says."""
    run(machine, 6, 30)


@pytest.mark.long
def test_whatever_happens_for_long(machine: type[Machine]) -> None:
    """The same, a hundred times, and in longer series."""
    run(machine, 100, 50)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("place", "broken", "seen"),
    [
        ("Inbox", Amnesiac, "handled again|not as the book says|miscounted"),
        ("Inbox", Forgetful, "is lost|before it was committed"),
        ("Inbox", Backwards, "came before"),
    ],
)
def test_control_a_broken_guarantee_is_seen(
    machine: type[Machine],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    broken: type,
    seen: str,
) -> None:
    """Recognition, commit before confirm, order: without one of them the machine fails."""
    monkeypatch.setattr(f"bot.core.{place}", broken)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=seen):
        run(machine, 200, 30)


def test_control_without_a_fence_a_woken_process_commits(
    machine: type[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine sees that a process that slept through its lease changes something."""
    monkeypatch.setattr("bot.kit.Lease", Unfenced)
    walk = machine()
    walk.push(person=1, words=["plain"], fetched=True)
    walk.handle(steps=1)
    with pytest.raises(pytest.fail.Exception, match=r"DID NOT RAISE .*Fenced"):
        walk.crash()
