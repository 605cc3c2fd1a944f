"""The lease: one holder, told apart by beats and never by the wall clock."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from bot.lease import Fenced, Lease, identity, is_dead
from database import Database, bind, db, open_database
from models import Lease as Row
from outages import is_outage
from tests.together import failure, run_together


class Clock:
    """A monotonic clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(owner: str, clock: Clock) -> Lease:
    return Lease("poller:7", owner=owner, clock=clock, dead=lambda owner: owner == "dead")


def test_the_first_takes_it_and_the_second_stands_by(database: Database) -> None:
    """Only one of two processes holds the lease."""
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    assert one.step() and one.valid()
    assert not two.step() and not two.valid()


def test_a_standby_takes_over_when_the_beats_stop(database: Database) -> None:
    """After eight silent seconds, within ten of the death, the standby has it."""
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    one.step()
    two.step()
    clock.now += 5
    one.step()
    two.step()
    clock.now += 7.9
    assert not two.step()
    clock.now += 0.2
    assert two.step() and two.fence == one.fence + 1


def test_the_one_that_slept_is_fenced(database: Database) -> None:
    """A holder that missed the take-over is told so, and its commit is refused."""
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    one.step()
    two.step()
    clock.now += 9
    two.step()
    assert not one.valid()
    with pytest.raises(Fenced):
        one.step()
    with pytest.raises(Fenced), db.atomic():
        one.check()
    with db.atomic():
        two.check()


def test_a_lease_ends_by_itself_without_a_beat(database: Database) -> None:
    """A holder whose database is away stops acting before a standby may begin."""
    clock = Clock()
    one = lease("one", clock)
    one.step()
    clock.now += 6.1
    assert not one.valid()
    assert one.step() and one.valid()


def test_a_released_or_dead_holder_is_followed_at_once(database: Database) -> None:
    """A clean end, or a holder that is certainly gone, costs no wait."""
    clock = Clock()
    one, two, three = lease("one", clock), lease("dead", clock), lease("three", clock)
    one.step()
    one.release()
    assert not one.valid()
    assert two.step()
    assert three.step() and three.fence == two.fence + 1


def test_release_without_the_lease_changes_nothing(database: Database) -> None:
    """A standby that ends does not take the lease from its holder."""
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    one.step()
    two.step()
    two.release()
    assert one.step()


def test_a_killed_process_of_this_host_is_known_to_be_dead() -> None:
    """The identity names host, boot, pid namespace, pid and start, and tells a reused pid."""
    code = "from bot.lease import identity; print(identity())"
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert is_dead(child)
    assert not is_dead(identity())
    host, namespace, pid, started = identity().split("/")
    assert is_dead(f"{host}/{namespace}/{pid}/{int(started) - 1}")


def test_nothing_is_said_of_another_host() -> None:
    """Where a process cannot be seen, only its beats count."""
    assert not is_dead("elsewhere/boot/1/1")
    assert not is_dead(f"{socket.gethostname()}//{os.getpid()}/")
    assert not is_dead("")


def test_a_holder_that_stops_in_a_transaction_keeps_nobody_out(postgres_url: str) -> None:
    """PostgreSQL takes the lock of a silent transaction back; its commit is an outage."""
    bound = bind(open_database(postgres_url))
    bound.create_tables([Row])
    one, two = (
        Lease("poller:7", owner=owner, taken_after=0.2, dead=lambda _: True) for owner in "12"
    )
    one.step()

    def sleep() -> None:
        with db.atomic():
            one.check()
            run_together(two.step)
            db.execute_sql("SELECT 1")

    assert is_outage(failure(sleep))
    db.close()
    assert two.valid() and failure(one.step).args == ("poller:7",)
    bound.close_all()


def test_a_process_that_begins_anew_inherits_from_itself(database: Database) -> None:
    """The same pid since the same start takes it at once, under a new fence; no standby gets in."""
    clock = Clock()
    one, standby = Lease("poller:7", clock=clock), lease("standby", clock)
    assert one.step()
    fence = one.fence
    one.release(heir=True)
    assert not one.valid() and not standby.step()
    heir = Lease("poller:7", clock=clock)
    assert heir.step() and heir.fence == fence + 1
    with pytest.raises(Fenced):
        one.check()


def test_where_the_start_is_unknown_nothing_is_inherited(database: Database) -> None:
    """Without /proc a pid may be anybody's: the lease is given back instead."""
    one = Lease("poller:7", owner="host//12/", clock=Clock())
    assert one.step()
    one.release(heir=True)
    assert Row.get().owner == ""
    assert one.step()
    assert not Lease("poller:7", owner="host//12/", clock=Clock()).step()
