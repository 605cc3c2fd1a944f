"""The API's document: OpenAPI, as file and as a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, json, render_template
from flask_smorest import Api
from flask_smorest.utils import prepare_response
from marshmallow import Schema, fields

from admin.api import events, failures, health, messages, plugins, settings, stats, users
from admin.api.fields import BIG
from admin.api.routes import Key
from admin.auth.rights import anybody
from admin.problems import KIND
from admin.questions import Questions

ABOUT = """\
Every request brings a token, made on the page *API tokens* of the panel, in the header
`Authorization: Bearer sg_…`, and never in the address. Lists come in pages: ask again with the
`cursor` that was given as `next` until it is null. Errors are of one shape, RFC 9457.
"""
PARTS = (users, events, stats, plugins, failures, messages, health)
RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}


class Flaw(Schema):
    """What is wrong with one value: a parameter by its name, a place of the body by a pointer."""

    parameter = fields.String()
    pointer = fields.String()
    detail = fields.String(required=True)


class ProblemOut(Schema):
    """What went wrong."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(Flaw))


class Document(Api):  # type: ignore[misc]
    """The library's part, with our answers to errors."""

    ERROR_SCHEMA = ProblemOut
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """The application answers all errors."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase, "schema": ProblemOut}
            if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                response["headers"] = RETRY
            prepare_response(response, self.spec, KIND)
            self.spec.components.response(status.name, response, lazy=True)


def build(app: Flask) -> list[Blueprint]:
    """Add the API to an application; gives its parts."""
    app.extensions["questions"] = Questions(app.extensions["panel"].registry)
    app.config.update(API_TITLE="Steadygram", API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    app.url_map.converters["key"] = Key
    api = Document(app, spec_kwargs={"info": {"description": ABOUT}})
    api.register_converter(Key, lambda _: {"type": "integer", "minimum": 0, "maximum": BIG})
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    parts: list[Blueprint] = [part.routes for part in PARTS]
    for part in parts:
        api.register_blueprint(part)
    app.register_blueprint(pages(api))
    return parts


def pages(api: Document) -> Blueprint:
    """The document as a file, and as a page to read and try it."""
    routes = Blueprint("document", __name__, url_prefix="/api/v1")

    @routes.get("/openapi.json")
    @anybody
    def openapi() -> Response:
        """The document; it holds nothing of this installation."""
        return Response(json.dumps(api.spec.to_dict()), content_type="application/json")

    @routes.get("/docs")
    @anybody
    def docs() -> str:
        """The page."""
        return render_template("api/docs.html")

    return routes


__all__ = ["build", "settings"]
