"""Rights: every route states one, and every role gets exactly what the table says.

The table is rights.txt; `python -m tests.admin.test_rights` writes it anew, to be read in a diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from admin.app import create_app
from admin.auth.rights import Right, right_of
from admin.panel import Panel
from bot.registry import Registry
from settings import Secret, Settings
from staff import StaffRole
from tests.admin.conftest import KEY, Visit

TABLE = Path(__file__).parent / "rights.txt"
UNGUARDED = ("static",)
SAFE = {"GET", "HEAD", "OPTIONS"}


def routes(app: Flask) -> Iterator[tuple[str, Rule, Right | None]]:
    """Every method and route, with the right that it states."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule, right_of(app, rule.endpoint)


def lines(app: Flask) -> list[str]:
    """The table as it is."""
    return [f"{method:6} {rule.rule} {right}" for method, rule, right in routes(app)]


def bare_app() -> Flask:
    """An application to look at, without a database."""
    return create_app(Panel(Settings(secret_key=Secret(KEY)), Registry()))


APP = bare_app()
ROUTES = [(method, rule, right) for method, rule, right in routes(APP)]


def test_every_route_states_its_right_as_the_table_has_it() -> None:
    """A route without a right, or with another one than was agreed, fails here."""
    assert [line for line in lines(APP) if line.endswith(" None")] == []
    assert lines(APP) == TABLE.read_text().splitlines()


@pytest.mark.parametrize("role", [None, *StaffRole], ids=str)
def test_each_role_gets_what_the_table_says(visit: Visit, role: StaffRole | None) -> None:
    """Every route is walked by every role, and by nobody: the gate refuses exactly the others.

    What is let through may still refuse what is asked for, as a form without its token.
    """
    browser = visit(role)
    for method, rule, right in ROUTES:
        assert right is not None
        if rule.endpoint.endswith("static") or rule.rule == "/logout":
            continue
        path = rule.rule
        for name in rule.arguments:
            path = "".join(("1" if f"{name}>" in part else part) for part in _parts(path))
        answer = browser.open(path, method=method)
        allowed = right.role is None or (role is not None and role.may(right.role))
        said = (method, rule.rule, role, answer.status_code)
        unready = rule.rule == "/readyz" and answer.status_code == 503  # nobody polls in a test
        assert answer.status_code < 500 or unready, said
        if right.scope is not None:  # a session opens nothing in the API
            assert answer.status_code == 401, said
            continue
        if role is None and not allowed:
            led = answer.status_code == 302 and answer.location.startswith("/login")
            assert led or answer.status_code == 401, said
        elif not allowed:
            assert answer.status_code == 403 and "needs the role" in answer.text, said
        else:
            assert "needs the role" not in answer.text, said


def _parts(path: str) -> list[str]:
    """A rule cut at its arguments."""
    parts, text = [], path
    while "<" in text:
        head, _, rest = text.partition("<")
        inside, _, text = rest.partition(">")
        parts += [head, f"<{inside}>"]
    return [*parts, text]


def test_a_route_that_states_no_right_is_refused(own_app: Flask, visit: Visit) -> None:
    """Whoever forgets to say whom a page is for shows it to nobody."""
    own_app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = visit(StaffRole.OWNER).get("/forgotten")
    assert answer.status_code == 403 and "secret" not in answer.text


if __name__ == "__main__":
    TABLE.write_text("\n".join(lines(APP)) + "\n")
