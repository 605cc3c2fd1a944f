"""The tables that plugins show: listed, narrowed, changed, hidden while the plugin is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from admin.app import create_app
from admin.panel import Panel
from database import Database
from models import User
from sandbox.telegram import Telegram
from staff import AuditEntry, StaffRole
from tests.admin import plugged
from tests.admin.conftest import Browser, Clock, Visit

ORDERS, THINGS = "/tables/shop_order/", "/tables/shop_order_2/"
ODD = '''"""Have tables that no list can show."""
from peewee import CharField, CompositeKey
from bot import Plugin
plugin = Plugin(__name__)


class Pair(plugin.Model):
    a = CharField()
    b = CharField()

    class Meta:
        primary_key = CompositeKey("a", "b")


plugin.admin(Pair, ["a", "b"])
'''


@pytest.fixture
def panel(database: Database, clock: Clock, telegram: Telegram, tmp_path: Path) -> Panel:
    """A panel with a shop that shows its orders, and a plugin whose table cannot be shown."""
    del database
    panel = plugged.open_panel(tmp_path, clock, telegram, shop=plugged.SHOP, odd=ODD)
    panel.ticks = iter(range(0, 10_000, 2)).__next__  # each request is a while after the last
    return panel


def order(panel: Panel, **values: Any) -> Any:
    """An order."""
    (model,) = panel.registry.plugins["shop"].models
    return model.create(**{"thing": "milk", **values})


def test_its_columns_are_listed(panel: Panel, visit: Visit) -> None:
    """Searched and narrowed as declared; a person is a link, and nothing is fetched for it."""
    user = User.create(telegram_id=5, first_name="Ada")
    order(panel, user=user, paid=True)
    order(panel, thing="<b>bread")
    viewer = visit(StaffRole.VIEWER)
    text = viewer.get(ORDERS).text
    assert "milk" in text and f'<a href="/users/{user.id}">' in text and "&lt;b&gt;bread" in text
    assert "Edit" not in text and "Orders" in viewer.get("/").text
    assert "bread" not in viewer.get(f"{ORDERS}?search=milk").text
    assert "bread" not in viewer.get(f"{ORDERS}?paid=yes").text
    assert viewer.get(THINGS).status_code == 200
    assert viewer.get(f"{ORDERS}edit/?id=1").status_code == 403


def test_an_operator_changes_the_shown_columns(panel: Panel, visit: Visit) -> None:
    """Only those, never keys; each change is noted. A second list of the table is not editable."""
    row = order(panel)
    operator = visit(StaffRole.OPERATOR)
    path = f"{ORDERS}edit/?id={row.id}"
    page = operator.get(path).text
    assert 'name="thing"' in page and 'name="chat_id"' not in page and 'name="user"' not in page
    operator.post_form(path, path, thing="tea", paid="y", chat_id="7")
    again = type(row).get_by_id(row.id)
    assert (again.thing, again.paid, again.chat_id) == ("tea", True, 0)
    entry = AuditEntry.select().where(AuditEntry.action == "row.edit").get()
    assert entry.target == f"shop_order:{row.id}"
    assert entry.after == {"changed": ["paid", "thing"]}
    assert operator.get(f"{THINGS}edit/?id=1").status_code == 404


def test_it_is_hidden_while_the_plugin_is_off(panel: Panel, visit: Visit) -> None:
    """Out of the menu, and not to be had by its address."""
    owner = visit(StaffRole.OWNER)
    assert "Orders" in owner.get("/").text
    panel.switches.set("shop", False)
    assert "Orders" not in owner.get("/").text and "Plugins&#39; tables" not in owner.get("/").text
    answer = owner.get(ORDERS)
    assert answer.status_code == 404 and "shop is off" in answer.text
    assert owner.get(f"{ORDERS}edit/?id=1").status_code == 404


def test_a_table_that_cannot_be_shown_is_left_out(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the log; the rest of the panel stands."""
    app = create_app(panel)
    assert "the table Pair of odd is left out" in caplog.text
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert ORDERS in rules and not any("pair" in rule for rule in rules)


def test_every_route_of_a_table_states_its_right(panel: Panel) -> None:
    """Readers read, operators write: nothing is open."""
    from admin.auth.rights import right_of

    app = create_app(panel)
    rights = {
        rule.rule: str(right_of(app, rule.endpoint))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/tables/")
    }
    assert rights == {ORDERS: "viewer", f"{ORDERS}edit/": "operator", THINGS: "viewer"}


def test_nobody_without_a_role_sees_it(visit: Visit) -> None:
    """As every page."""
    browser: Browser = visit(None)
    assert browser.get(ORDERS).location.startswith("/login")
