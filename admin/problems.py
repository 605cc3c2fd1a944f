"""Problems: what went wrong in the API, in the one shape of RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

KIND = "application/problem+json"
ROOT = "/api/"
"""What the path of everything in the API begins with."""


def is_api() -> bool:
    """Whether the request is one of the API, which has neither pages nor cookies."""
    return request.path.startswith(ROOT)


def answer(error: Exception, code: int, said: str, headers: Mapping[str, str]) -> Response:
    """The answer to whatever went wrong, with the headers that belong to it."""
    response = Response(status=code, headers=dict(headers))
    if isinstance(error, HTTPException):
        kept = (pair for pair in error.get_headers() if pair[0].lower() != "content-type")
        response.headers.extend(list(kept))
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(code),
        "status": code,
        "detail": said,
    }
    if errors := list(_errors(getattr(error, "data", None) or {})):
        told["errors"] = errors
        told["detail"] = "What was sent does not fit: see errors."
    response.set_data(json.dumps(told))
    response.content_type = KIND
    return response


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in set(HTTPStatus) else "Error"


def _errors(data: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What is wrong with each parameter, and with each place of the body."""
    for location, said in (data.get("messages") or {}).items():
        for path, detail in _flat(said):
            if location == "query":
                yield {"parameter": ".".join(path), "detail": detail}
            else:
                yield {"pointer": "#" + "".join(f"/{part}" for part in path), "detail": detail}


def _flat(said: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Sentences with the way to what they are about; an error of the whole stands at its place."""
    if isinstance(said, dict):
        for name, inside in said.items():
            yield from _flat(inside, path if name == "_schema" else (*path, str(name)))
        return
    for sentence in said if isinstance(said, list) else [said]:
        yield path, str(sentence)
