"""Headers of every answer: what a browser may load, and that nothing is kept."""

from __future__ import annotations

import secrets

from flask import Response, g, request

POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
"""Styles may be inline: select2, popovers and charts set them from scripts of ours."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
YEAR = 31_536_000


def nonce() -> str:
    """The word that marks the scripts of this answer as ours."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def write(response: Response, *, secure: bool) -> Response:
    """Set the headers; what is no file of ours is not kept by anybody."""
    response.headers.update(ALWAYS)
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce())
    if secure:
        response.headers["Strict-Transport-Security"] = f"max-age={YEAR}; includeSubDomains"
    if request.endpoint is None or not request.endpoint.endswith("static"):
        response.headers["Cache-Control"] = "no-store"
    return response
