"""Routes: how an operation of the API says what it takes, what it answers and what it needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Request, abort, current_app
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.routing import IntegerConverter, Map

from admin.api.fields import BIG
from admin.auth.rights import needs_scope
from admin.panel import Panel
from services.scopes import Scope

F = TypeVar("F", bound=Callable[..., Any])

ALWAYS = (401, 403, 429, 500, 503)
WITH_BODY = (400, 413, 415, 422)


class Key(IntegerConverter):
    """The key of a row in a path: a whole number that every database can compare.

    A larger one stands for the largest, which no row has: a converter that refuses a value makes
    the library answer 405 where the path has several methods.
    """

    regex = r"[0-9]{1,19}"

    def __init__(self, map: Map) -> None:  # noqa: A002  the library's name
        super().__init__(map)

    def to_python(self, value: str) -> int:
        """The number."""
        return min(int(value), BIG)


class Parser(FlaskParser):
    """Reads what was sent, and refuses whatever could be meant in two ways."""

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters; each may be given once."""
        twice = {name: ["Given more than once."] for name, all_ in req.args.lists() if all_[1:]}
        if twice:
            raise ValidationError(twice)
        return super().load_querystring(req, schema)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body, which must say that it is JSON."""
        if req.mimetype != "application/json":
            abort(415, "Send JSON, and say so: Content-Type: application/json.")
        try:
            body = super().load_json(req, schema)
        except (RecursionError, ValueError):
            body = missing
        if body is missing:
            abort(400, "The body is no JSON that can be read.")
        return body


class Routes(Blueprint):  # type: ignore[misc]
    """Operations about one thing."""

    ARGUMENTS_PARSER = Parser(unknown=RAISE)

    def __init__(self, name: str, about: str) -> None:
        super().__init__(name, __name__, url_prefix="/api/v1", description=about)

    def operation(
        self,
        method: str,
        rule: str,
        scope: Scope,
        answer: type[Schema] | Schema | None,
        *,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        status: int = 200,
        problems: tuple[int, ...] = (),
    ) -> Callable[[F], F]:
        """Declare an operation; `problems` are what it may answer besides what all may.

        The function gets what the path, the query or the body holds, and is given back.
        """
        codes = {*ALWAYS, *problems, *(WITH_BODY if body else ()), *((422,) if query else ())}
        if "<" in rule:
            codes.add(404)

        def declare(func: F) -> F:
            view: Any = self.response(status, answer)(func)
            if query:
                view = self.arguments(query, location="query")(view)
            if body:
                view = self.arguments(body, location="json")(view)
            for code in sorted(codes):
                view = self.alt_response(code, HTTPStatus(code).name)(view)
            _, _, more = (inspect.getdoc(func) or "").partition("\n\n")
            needed = f"Needs the scope `{scope}`, for which its owner is {scope.role} or more."
            view = self.doc(
                operationId=func.__name__,
                security=[{"token": [scope.value]}],
                description=f"{more}\n\n{needed}".strip(),
            )(view)
            self.route(rule, methods=[method], endpoint=func.__name__)(needs_scope(scope)(view))
            return func

        return declare


def panel() -> Panel:
    """What the operations work with."""
    found: Panel = current_app.extensions["panel"]
    return found
