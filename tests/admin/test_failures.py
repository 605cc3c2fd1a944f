"""The pages of the failures: grouped, shown whole, replayed after the fix, dismissed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from admin.panel import Panel
from admin.views.failures import pretty
from bot.testing import ChatKit
from database import Database
from models import Failure, User
from sandbox.telegram import Telegram
from services import groups
from staff import AuditEntry, StaffRole
from tests.admin import plugged
from tests.admin.conftest import Browser, Clock, Visit, put_on
from tests.admin.test_tables import Counting
from tests.services.test_groups import fail


@pytest.fixture
def panel(database: Database, clock: Clock, telegram: Telegram, tmp_path: Path) -> Panel:
    """A panel with a shop."""
    del database
    return put_on(plugged.open_panel(tmp_path, clock, telegram, shop=plugged.SHOP), "shop")


@pytest.fixture
def operator(visit: Visit) -> Browser:
    """An operator's browser."""
    return visit(StaffRole.OPERATOR)


@pytest.fixture
def kit(panel: Panel, database: Database, telegram: Telegram, tmp_path: Path) -> Iterator[ChatKit]:
    """The bot beside the panel."""
    del panel
    with plugged.open_bot(tmp_path, database, telegram) as kit:
        yield kit


def audited() -> list[tuple[str, str]]:
    """What was noted."""
    return [(row.action, row.target) for row in AuditEntry.select().order_by(AuditEntry.id)]


def test_a_failing_handler_is_shown_and_replayed_after_the_fix(
    operator: Browser, kit: ChatKit, database: Database, telegram: Telegram, tmp_path: Path
) -> None:
    """With its traceback, its update and its person; the mended plugin answers it then."""
    kit.bob.send("/buy the moon")
    kit.take_failures()
    failure = Failure.get()
    listed = operator.get("/failures/").text
    assert "ValueError" in listed and "no moon left" in listed
    group = operator.get(f"/failures/group/{failure.fingerprint}").text
    person = User.get(telegram_id=kit.bob.id)
    for words in ("Traceback (most recent call last)", f"/users/{person.id}", "/buy the moon"):
        assert words in group
    assert "&#34;update_id&#34;: " in group, "the update is shown, and escaped"
    kit.__exit__()
    (tmp_path / "shop.py").write_text(plugged.MENDED)
    with plugged.open_bot(tmp_path, database, telegram) as mended:
        operator.post_form(f"/failures/{failure.id}/replay", f"/failures/{failure.id}")
        mended.chores()
        assert mended.bob.last == "The moon is yours."
    assert Failure.get().state == "replayed"
    assert ("failure.replay", f"failure:{failure.id}") in audited()
    assert "Nothing is open" in operator.get("/failures/").text
    assert "ValueError" in operator.get("/failures/?all=1").text


def test_one_is_dismissed(operator: Browser) -> None:
    """Its update is gone, so that it cannot be replayed; a second click says so."""
    number = fail()
    said = {"dismiss": "It was not dismissed", "replay": "It was not replayed"}
    operator.post_form(f"/failures/{number}/dismiss", f"/failures/{number}")
    for act, words in said.items():
        operator.post_form(f"/failures/{number}/{act}", f"/failures/{number}")
        assert words in operator.get(f"/failures/{number}").text
    row = Failure.get()
    assert (row.state, row.payload) == ("dismissed", None)
    text = operator.get(f"/failures/{number}").text
    assert "It was dropped" in text and "Replay this one" not in text
    assert audited() == [("failure.dismiss", f"failure:{number}")]


def test_a_viewer_looks_only(visit: Visit) -> None:
    """No button, and a form of one's own is refused."""
    number = fail()
    viewer = visit(StaffRole.VIEWER)
    assert "Replay" not in viewer.get("/failures/group/f").text
    assert viewer.post_form(f"/failures/{number}/replay", "/").status_code == 403
    assert viewer.post_form("/failures/group/f/dismiss", "/").status_code == 403
    assert Failure.get().state == "open"


def test_all_are_replayed_in_batches(operator: Browser) -> None:
    """Each request does one batch and says how to go on; what failed meanwhile is left alone."""
    count = groups.BATCH + 7
    for number in range(count):
        fail(update_id=number)
    path, state = "/failures/group/f/replay", dict[str, Any]()
    for _ in range(2):
        answer = operator.post(
            path,
            data={"csrf_token": operator.token("/failures/group/f"), **state},
            headers={"Accept": "application/json"},
        )
        state = answer.json or {}
        left = state.pop("left")
        fail(update_id=10_000 + left)
    assert (state["done"], state["skipped"], state["after"]) == (count, 0, None)
    assert Failure.select().where(Failure.state == "open").count() == 2
    assert audited() == [("failure.replay_all", "failures:f")] * 2


def test_without_a_script_a_click_goes_on(operator: Browser) -> None:
    """The page after a batch says what is left, and can stop there."""
    for number in range(groups.BATCH + 1):
        fail(update_id=number)
    page = operator.post_form("/failures/group/f/dismiss", "/failures/group/f").text
    assert f"{groups.BATCH} dismissed" in page and "1 are still to do" in page and "Stop" in page
    fields = dict(re.findall(r'name="(after|last|done|skipped|of)" value="(\d+)"', page))
    page = operator.post_form("/failures/group/f/dismiss", "/failures/group/f", **fields).text
    assert f"{groups.BATCH + 1} dismissed" in page and "That was all" in page
    assert not Failure.select().where(Failure.state == "open").exists()


def test_all_at_once_asks_for_the_password_again(operator: Browser, clock: Clock) -> None:
    """A session that was left open does not replay a thousand updates."""
    fail()
    clock.pass_(minutes=11)
    answer = operator.post_form("/failures/group/f/replay", "/failures/group/f")
    assert answer.status_code == 302 and answer.location.startswith("/confirm")
    assert Failure.get().state == "open"


def test_the_list_is_paged_and_narrowed(operator: Browser, database: Database) -> None:
    """So many groups a page, the newest first, in few statements; or those of one plugin."""
    for number in range(30):
        fail(f"kind {number}", plugin="shop" if number == 3 else "notes")
    operator.get("/failures/")
    with Counting(database) as counted:
        first = operator.get("/failures/").text
    assert len([sql for sql in counted.said if "failures" in sql]) <= 4
    assert first.count("/failures/group/") == 25 and "kind%2029" in first
    assert operator.get("/failures/?page=1").text.count("/failures/group/") == 5
    assert operator.get("/failures/?plugin=shop").text.count("/failures/group/") == 1
    assert "Nothing is open" in operator.get("/failures/?plugin=%27").text


def test_members_are_paged(operator: Browser) -> None:
    """Older ones are a click away."""
    ids = [fail() for _ in range(25)]
    page = operator.get("/failures/group/f").text
    assert f'/failures/{ids[-1]}"' in page and f'/failures/{ids[0]}"' not in page
    older = operator.get(f"/failures/group/f?before={ids[5]}").text
    assert f'/failures/{ids[0]}"' in older


@pytest.mark.parametrize(
    "path",
    [
        *("group/none", "group/%00", "group/" + "x" * 3000, "999", "99999999999999999999"),
        *("?page=-1", "?page=abc", "?page=99999999999999999999", "?plugin=%00", "?all=1&all=2"),
        *("group/f?before=abc", "group/f?before=99999999999999999", "?plugin=%ED%A0%80"),
        *("group/%ED%A0%80", "-1", "group/f?before=-1", "?page=%D9%A1"),
    ],
)
def test_what_makes_no_sense_is_no_fault_of_ours(operator: Browser, path: str) -> None:
    """A page, or one clear sentence."""
    fail()
    assert operator.get(f"/failures/{path}").status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "fields",
    [
        *({"after": "abc"}, {"last": "-1"}, {"after": "9" * 18, "last": "9" * 18}),
        *({"done": "x"}, {"last": "9" * 30}, {"after": "\0"}),
    ],
)
def test_a_batch_with_odd_bounds(operator: Browser, fields: dict[str, str]) -> None:
    """It is refused, or does nothing out of its bounds."""
    fail()
    answer = operator.post_form("/failures/group/f/replay", "/failures/group/f", **fields)
    assert answer.status_code in (200, 400)
    assert operator.post_form("/failures/group/f/burn", "/failures/").status_code == 404
    assert operator.post_form("/failures/1/burn", "/failures/").status_code == 404


def test_an_update_is_shown_as_it_reads_best() -> None:
    """Letters as letters; what is no JSON as it is."""
    assert pretty(json.dumps({"text": "я"})) == '{\n  "text": "я"\n}'
    assert pretty("{") == "{" and pretty(None) == "" and pretty("[" * 100_000) == "[" * 100_000


def test_what_people_wrote_is_text(operator: Browser) -> None:
    """Nothing of it becomes part of the page."""
    nasty = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    number = fail(f"{nasty.replace('/', '')}")
    Failure.update(message=nasty, traceback=nasty, error=nasty, handler=nasty).execute()
    Failure.update(payload=json.dumps({"update_id": 1, "x": nasty})).execute()
    for path in ("", str(number), f"group/{Failure.get().fingerprint}"):
        text = operator.get(f"/failures/{path}").text
        assert "<script>alert" not in text and "<img src=x" not in text
