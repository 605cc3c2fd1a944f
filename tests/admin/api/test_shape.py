"""The shape of answers: problems by RFC 9457, strict input, and the document."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask

from admin.auth.rights import needs_scope
from admin.bounds import BODY
from database import Database, bind, open_database
from models import User
from services.scopes import Scope
from tests.admin.api.conftest import Call

USERS = "/api/v1/users"


WRONG: list[tuple[str, str, dict[str, object], int]] = [
    ("GET", "/api/v1/nothing", {}, 404),
    ("GET", "/api/", {}, 404),
    ("GET", f"{USERS}/0", {}, 404),
    ("GET", f"{USERS}/-1", {}, 404),
    ("GET", f"{USERS}/9223372036854775807", {}, 404),
    ("GET", f"{USERS}/9223372036854775808", {}, 404),
    ("GET", f"{USERS}/{10**30}", {}, 404),
    ("PATCH", f"{USERS}/9223372036854775808", {"json": {}}, 404),
    ("PATCH", f"{USERS}/{10**30}", {"json": {}}, 404),
    ("GET", f"{USERS}/%00", {}, 404),
    ("GET", "/api/v1/plugins/%00%ff", {}, 404),
    ("GET", f"{USERS}/1e3", {}, 404),
    ("DELETE", USERS, {}, 405),
    ("TRACE", USERS, {}, 405),
    (
        "PATCH",
        f"{USERS}/1",
        {"data": "x" * (BODY + 1), "content_type": "application/json"},
        413,
    ),
    ("PATCH", f"{USERS}/1", {"data": "{}", "content_type": "text/plain"}, 415),
    ("PATCH", f"{USERS}/1", {}, 415),
    ("PATCH", f"{USERS}/1", {"data": "{", "content_type": "application/json"}, 400),
    ("PATCH", f"{USERS}/1", {"data": "", "content_type": "application/json"}, 400),
    ("PATCH", f"{USERS}/1", {"data": b"\xff", "content_type": "application/json"}, 400),
    ("PATCH", f"{USERS}/1", {"data": "[" * 99_999, "content_type": "application/json"}, 400),
    ("PATCH", f"{USERS}/1", {"data": "9" * 9999, "content_type": "application/json"}, 400),
    ("PATCH", f"{USERS}/1", {"json": []}, 422),
    ("PATCH", f"{USERS}/1", {"data": "null", "content_type": "application/json"}, 422),
]
QUERIES = [
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=-1", "limit"),
    ("limit=abc", "limit"),
    ("limit=1.0", "limit"),
    ("limit=%D9%A5", "limit"),
    ("limit=+5", "limit"),
    ("limit=1e1", "limit"),
    ("limit=100000000000000000000", "limit"),
    ("limit=5&limit=6", "limit"),
    ("role=king", "role"),
    ("role=", "role"),
    ("role=user&role=user", "role"),
    ("telegram_id=9223372036854775808", "telegram_id"),
    ("username=%00", "username"),
    ("username=" + "x" * 65, "username"),
    ("cursor=", "cursor"),
    ("cursor=zz", "cursor"),
    ("cursor=1%0A", "cursor"),
    ("cursor=" + "f" * 16, "cursor"),
    ("offset=5", "offset"),
    ("order_by=id", "order_by"),
]
BODIES: list[tuple[dict[str, object], str]] = [
    ({"is_owner": True}, "#/is_owner"),
    ({"id": 5}, "#/id"),
    ({"telegram_id": 5}, "#/telegram_id"),
    ({"total_messages": 5}, "#/total_messages"),
    ({"status": "deleted"}, "#/status"),
    ({"status": None}, "#/status"),
    ({"status": ["banned"]}, "#/status"),
    ({"role": "king"}, "#/role"),
    ({"role": {"$ne": 1}}, "#/role"),
    ({"language": 5}, "#/language"),
    ({"reason": "a\0b"}, "#/reason"),
    ({"reason": "\ud800"}, "#/reason"),
    ({"reason": "x" * 257}, "#/reason"),
]


def problem(answer: Any, code: int) -> dict[str, object]:
    """What a problem says; it has the one shape, and no more than that."""
    told: dict[str, object] = json.loads(answer.text)
    assert answer.status_code == code == told["status"], told
    assert answer.content_type == "application/problem+json"
    assert set(told) - {"errors"} == {"type", "title", "status", "detail"}
    assert told["type"] == "about:blank" and told["title"] and told["detail"]
    return told


def test_every_error_has_one_shape(call: Call, world: list[User]) -> None:
    """Whatever is asked for wrongly is a problem, and says nothing of how it is made."""
    client = call()
    for method, path, options, code in WRONG:
        answer = client.open(path, method=method, **options)
        problem(answer, code)
        assert "Traceback" not in answer.text and "peewee" not in answer.text
        assert code != 405 or "GET" in answer.headers["Allow"]


def test_a_wrong_parameter_is_named(call: Call) -> None:
    """Unknown ones and those given twice are refused like values that do not fit."""
    client = call()
    for query, parameter in QUERIES:
        errors = problem(client.get(f"{USERS}?{query}"), 422)["errors"]
        assert isinstance(errors, list), query
        assert {each["parameter"] for each in errors} == {parameter}, query


def test_a_time_is_written_with_its_offset(call: Call) -> None:
    """As RFC 3339 has it: no bare date, no local time, no thirteenth month."""
    client = call()
    for given in ("yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"):
        errors = problem(client.get(f"/api/v1/events?since={given}"), 422)["errors"]
        assert isinstance(errors, list) and errors[0]["parameter"] == "since", given
    for given in ("0001-01-01T00:00:00%2B23:00", "2026-01-01t00:00:00.123456789z"):
        assert client.get(f"/api/v1/events?since={given}").status_code == 200, given


def test_a_field_that_may_not_be_set_is_refused(call: Call, world: list[User]) -> None:
    """Nothing is changed, and the place in the body is named."""
    client, mine = call(), User.select().where(User.id == world[0].id).dicts()
    before = mine.get()
    for body, pointer in BODIES:
        errors = problem(client.patch(f"{USERS}/{world[0].id}", json=body), 422)["errors"]
        assert isinstance(errors, list) and errors[0]["pointer"] == pointer, body
    assert mine.clone().get() == before


def test_a_mistake_of_ours_is_a_500_that_tells_nothing(own_app: Flask, call: Call) -> None:
    """What went wrong is in the log, not in the answer."""

    @needs_scope(Scope.USERS_READ)
    def fail() -> str:
        raise RuntimeError("a secret")

    own_app.view_functions["People.list_users"] = fail
    answer = call().get(USERS)
    problem(answer, 500)
    assert "secret" not in answer.text


def test_without_the_database_it_is_a_503(database: Database, call: Call) -> None:
    """Nobody is let in, everybody is told to come again, and then it goes on."""
    client = call()
    assert client.get(USERS).status_code == 200
    away = open_database("postgresql://127.0.0.1:9/nothing")
    bind(away)
    try:
        for method in ("GET", "POST"):
            answer = client.open(USERS if method == "GET" else "/api/v1/messages", method=method)
            problem(answer, 503)
            assert answer.headers["Retry-After"] == "2"
    finally:
        bind(database)
    assert client.get(USERS).status_code == 200


def test_the_document_is_openapi_3_1(call: Call) -> None:
    """Each operation says which token it needs and every answer it gives; there is no default."""
    client = call()
    document = client.get("/api/v1/openapi.json", headers={"X-Nothing": "1"}).json
    assert document["openapi"] == "3.1.0"
    operations = [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(operations) >= 20
    for name, operation in operations:
        assert operation["security"][0]["token"], name
        assert operation["summary"].endswith("."), name
        assert {"401", "403", "429", "500", "503"} <= set(operation["responses"]), name
        assert "default" not in operation["responses"], name
        assert ("requestBody" in operation) == ("415" in operation["responses"]), name
        assert ("{" in name) <= ("404" in operation["responses"]), name


def test_the_page_of_the_document_loads_nothing_from_elsewhere(call: Call) -> None:
    """Swagger UI is among our own files, and is started by a file of ours."""
    client = call()
    page = client.get("/api/v1/docs", headers={"X-Nothing": "1"})
    assert page.status_code == 200 and page.text.count("<script") == page.text.count("<script src")
    assert "http:" not in page.text and "https:" not in page.text
    for name in ("vendor/swagger/swagger-ui-bundle.js", "vendor/swagger/swagger-ui.css", "docs.js"):
        with client.get(f"/static/{name}") as file:
            assert file.status_code == 200 and name in page.text
