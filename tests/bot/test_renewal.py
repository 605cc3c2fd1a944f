"""A reload that was asked for: tried first, begun when it passes, told when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from bot.process import Process
from bot.renewal import Renewal
from bot.testing import ChatKit
from database import Database
from sandbox.telegram import Telegram
from services import reloads

PLUGINS = [Path(__file__).parent / "plugins"]
OWNER = 1001


SHELF = '''"""Keep books."""
from bot import Context, Plugin
from peewee import CharField

plugin = Plugin(__name__)


class Book(plugin.Model):
    name = CharField(64)


@plugin.command("add")
def add(ctx: Context) -> None:
    """Add a book."""
    ctx.ask("Which?", then=save)


@plugin.step
def save(ctx: Context) -> str:
    Book.create(name=ctx.text)
    return f"{edition}: {{ctx.text}}, {{Book.select().count()}} in all"
'''


class Scene:
    """A process that was asked to reload, and trials that end as told."""

    def __init__(self, kit: ChatKit) -> None:
        self.kit = kit
        self.process = Process(kit.core, chores=[])
        self.answers: list[str | None] = []
        self.meanwhile: Callable[[], object] = int
        self.renewal = Renewal(self.process, trial=self.trial, clock=lambda: 100.0)

    def trial(self, stop: Event) -> str | None:
        self.meanwhile()
        return self.answers.pop(0)

    def ask(self, answer: str | None) -> None:
        self.answers.append(answer)
        self.process.reload_wanted = True
        self.renewal.step(0.0)

    def refusal(self, since: float = 100.0) -> str | None:
        lease = self.kit.core.seats[0].lease
        return reloads.refusal(lease.name, lease.owner, since)

    @property
    def told(self) -> list[str]:
        return [call["text"] for call in self.kit.calls("sendMessage")]


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    with ChatKit(PLUGINS, database=database, OWNER_IDS=str(OWNER)) as kit:
        yield Scene(kit)


def test_nothing_is_tried_unless_asked(scene: Scene) -> None:
    """A second that passes costs a look at a flag."""
    scene.renewal.step(0.0)
    assert not scene.process.stop.is_set()


def test_what_passes_is_begun(scene: Scene) -> None:
    """The process ends to begin anew, and nobody is told."""
    scene.ask(None)
    assert scene.process.stop.is_set() and scene.process.again
    assert not scene.process.reload_wanted and not scene.told and scene.refusal() is None


def test_what_fails_is_told_and_changes_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, to who asked, and to the owners; the same words to them once."""
    with caplog.at_level(logging.ERROR):
        scene.ask("odd.py:1: wrong\nand 100 % so")
    assert not scene.process.stop.is_set()
    assert caplog.messages == ["plugins_not_reloaded", "odd.py:1: wrong", "and 100 % so"]
    assert scene.refusal() == "odd.py:1: wrong\nand 100 % so"
    assert scene.refusal(since=101.0) is None
    scene.ask("odd.py:1: wrong\nand 100 % so")
    assert len(scene.told) == 1 and "odd.py:1: wrong" in scene.told[0]
    scene.ask("odd.py:2: wrong")
    assert len(scene.told) == 2 and scene.refusal() == "odd.py:2: wrong"
    scene.ask(None)
    assert scene.process.again


def test_a_token_in_what_was_said_is_masked(scene: Scene) -> None:
    """Nobody is shown one, whatever a plugin's error says."""
    scene.ask("ValueError: 123456789:AbCdEfGhIj_-0123456789AbCdEfGhIj012")
    assert "AbCdEf" not in f"{scene.refusal()}{scene.told}" and len(scene.told) == 1


def test_a_second_signal_in_a_trial_makes_another_one(scene: Scene) -> None:
    """What counts are the files as they were at the last signal."""

    def ask_again() -> None:
        scene.process.reload_wanted = True

    scene.meanwhile = ask_again
    scene.ask(None)
    assert not scene.process.stop.is_set() and scene.process.reload_wanted
    scene.meanwhile = int
    scene.answers.append(None)
    scene.renewal.step(1.0)
    assert scene.process.again


def test_a_stop_in_a_trial_ends(scene: Scene) -> None:
    """SIGTERM is not answered with a new beginning, nor with a complaint."""
    scene.meanwhile = scene.process.stop.set
    scene.ask("was ended by SIGABRT")
    assert not scene.process.again and not scene.told and scene.refusal() is None


def test_the_next_refusal_takes_the_place_of_the_last(database: Database) -> None:
    """One row for each lease, whoever owns it; another owner's is not mine."""
    reloads.refuse("poller:7", "one", 5.0, "first")
    reloads.refuse("poller:7", "two", 6.0, "second")
    assert reloads.refusal("poller:7", "one", 0.0) is None
    assert reloads.refusal("poller:7", "two", 6.0) == "second"
    assert reloads.refusal("poller:8", "two", 0.0) is None
    assert [(row.name, row.said) for row in reloads.refusals()] == [("poller:7", "second")]


def test_a_refusal_is_over_when_the_bot_begins_anew(database: Database, tmp_path: Path) -> None:
    """It runs with the plugins as they are now; another bot's refusal stays."""
    with ChatKit([tmp_path], database=database) as kit:
        (seat,) = kit.core.seats
        for name in (seat.lease.name, "poller:7"):
            reloads.refuse(name, "one", 5.0, "wrong")
        kit.restart()
        assert [row.name for row in reloads.refusals()] == ["poller:7"]


def test_an_open_question_is_answered_by_the_next_set(database: Database, tmp_path: Path) -> None:
    """It outlives the change of its plugin; when its step is gone the answer is plain text."""
    telegram, file = Telegram(), tmp_path / "shelf.py"
    said: list[str] = []
    for edition in ("first", "second"):
        file.write_text(SHELF.format(edition=edition))
        with ChatKit([tmp_path], database=database, telegram=telegram) as kit:
            if edition == "second":
                kit.bob.send("Faust")
            kit.bob.send("/add")
            said = kit.bob.texts
            for seat in kit.core.seats:
                seat.lease.release(heir=True)
    assert said == ["Which?", "second: Faust, 1 in all", "Which?"]
    file.write_text(SHELF.format(edition="third").replace("save", "keep"))
    with ChatKit([tmp_path], database=database, telegram=telegram) as kit:
        kit.bob.send("Hamlet")
        kit.bob.send("/add")
        kit.bob.send("Hamlet")
        assert kit.bob.texts == [*said, "Which?", "third: Hamlet, 2 in all"]
