"""The team gets into the panel by a link from the bot."""

from __future__ import annotations

import re

import pytest

from bot.chores import Chores
from bot.kit import ChatKit
from models import AnalyticsEvent, User
from services import arrivals, attempts, audit, sessions
from services.attempts import Attempts
from staff import Admin, Attempt, AuditEntry, Link, Session, StaffRole

LINK = re.compile(r"http://localhost:8000/enter/([A-Za-z0-9_-]{43})$")


def make_admin(telegram_id: int | None, *, disabled: bool = False) -> Admin:
    """An account, of this person."""
    admin: Admin = Admin.create(
        name="ada", role=StaffRole.OPERATOR, telegram_id=telegram_id, disabled=disabled
    )
    return admin


def test_an_admin_gets_a_link(kit: ChatKit) -> None:
    """It is shown without a preview, cannot be passed on, and is in the audit log."""
    admin = make_admin(kit.bob.id)
    assert kit.bob.send("/panel")[0].startswith("Open this within two minutes.")
    assert (found := LINK.search(kit.bob.last))
    assert found[1] not in repr([list(table.select().dicts()) for table in (Link, AuditEntry)])
    sent = kit.calls("sendMessage")[-1]
    assert (sent["protect_content"], "is_disabled" in str(sent)) == ("true", True)
    assert [entry.action for entry in AuditEntry.select()] == ["panel.link"]
    assert audit.verify() is None
    assert arrivals.accept_panel_link(found[1], kit.clock()) == admin


def test_the_link_is_over_after_two_minutes(kit: ChatKit) -> None:
    """Who finds it later has nothing of it."""
    make_admin(kit.bob.id)
    kit.bob.send("/panel")
    token = kit.bob.last.rpartition("/")[2]
    kit.pass_time(seconds=121)
    assert arrivals.accept_panel_link(token, kit.clock()) is None


@pytest.mark.parametrize("disabled", [True, False])
def test_for_others_there_is_no_such_command(kit: ChatKit, disabled: bool) -> None:
    """Neither for a closed account nor for somebody who bears an account's name."""
    make_admin(kit.bob.id if disabled else None, disabled=disabled)
    User.update(username="ada").where(User.telegram_id == kit.bob.id).execute()
    unknown = "I do not know /panel. See what I can do: /help"
    assert kit.bob.send("/panel") == [unknown]
    assert "/panel" not in kit.bob.send("/help")[0]
    assert not Link.select().exists()


def test_no_link_is_shown_in_a_group(kit: ChatKit) -> None:
    """Others would read it."""
    make_admin(kit.bob.id)
    kit.bob.send("/panel@sandbox_bot", to=kit.group)
    assert kit.bob.texts == [] and not Link.select().exists()


def test_longer_words_are_not_the_command(kit: ChatKit) -> None:
    """/panels and /panel_x are no such thing; in Russian it is said in Russian."""
    make_admin(kit.vera.id)
    assert "/panels" in kit.vera.send("/panels")[0]
    assert "/panel-x" not in kit.vera.send("/panel-x")[0]
    assert not Link.select().exists()
    assert kit.vera.send("/panel")[0].startswith("Откройте в течение двух минут.")
    assert not AnalyticsEvent.select().where(AnalyticsEvent.event_type == "panel").exists()


def test_what_is_over_is_swept(kit: ChatKit) -> None:
    """The bot's process forgets links, sessions and counted attempts of the panel."""
    admin = make_admin(kit.bob.id)
    kit.bob.send("/panel")
    sessions.begin(admin, address="", agent="", at=kit.clock())
    Attempts("x" * 32).count(kit.clock(), attempts.account("ada"))
    chores = Chores(kit.core, [])
    chores.step(0.0)
    kit.pass_time(hours=13)
    chores.step(601.0)
    assert [table.select().count() for table in (Link, Session, Attempt)] == [0, 0, 0]
