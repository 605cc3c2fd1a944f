"""The panel's application: everything that answers, behind one gate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Flask, Response, make_response, render_template, request
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from admin import headers, probes, problems
from admin.api import document
from admin.auth import rights
from admin.auth.bearers import Bearers
from admin.auth.browsers import Browsers
from admin.auth.doors import Doors
from admin.auth.paths import refuse_foreign
from admin.auth.signin import SignIn
from admin.bounds import BODY
from admin.line import Line
from admin.panel import Panel
from admin.probes import Probes
from admin.traffic import Traffic, request_id
from admin.views import contributed
from admin.views.account import Account
from admin.views.admins import Admins
from admin.views.audit import Audit
from admin.views.bots import Bots
from admin.views.chats import Chats
from admin.views.conversations import Conversations
from admin.views.events import Events
from admin.views.failures import Failures
from admin.views.overview import Overview
from admin.views.page import Page
from admin.views.plugins import Plugins
from admin.views.shown import SHOWN
from admin.views.system import System
from admin.views.tokens import Tokens
from admin.views.users import Users
from database import db
from outages import is_outage
from services.attempts import TooMany
from services.rates import open_rates
from staff import StaffRole

if TYPE_CHECKING:
    from prometheus_flask_exporter import PrometheusMetrics

log = logging.getLogger(__name__)

RETRY_AFTER = "2"
"""Seconds after which it is worth while to ask again."""


def create_app(panel: Panel, *, metrics: PrometheusMetrics | None = None) -> Flask:
    """Put the application together; it works on the bound database. `metrics` count requests."""
    app = Flask(__name__)
    configure(app, panel)
    if metrics:
        metrics.init_app(app)
    Traffic(panel.settings, ticks=panel.ticks).watch(app)
    browsers = Browsers(secure=not panel.settings.development, clock=panel.clock)
    app.extensions["sessions"] = browsers
    app.extensions["panel"] = panel
    bearers = app.extensions["bearers"] = open_bearers(panel)
    app.before_request(connect)
    app.before_request(lambda: recognise(bearers if problems.is_api() else browsers))
    app.before_request(rights.pass_gate)
    app.before_request(refuse_foreign)
    forms = CSRFProtect(app)
    app.after_request(lambda response: headers.write(response, secure=browsers.secure))
    app.teardown_request(disconnect)
    app.register_error_handler(Exception, answer_error)
    app.context_processor(context)
    app.register_error_handler(TooMany, answer_too_many)
    sign_in = SignIn(panel, browsers)
    app.register_blueprint(Probes(panel).blueprint())
    app.register_blueprint(sign_in.blueprint())
    app.register_blueprint(Doors(sign_in).blueprint())
    for part in document.build(app):
        forms.exempt(part)
    theme = Bootstrap4Theme(base_template="panel.html", fluid=True)
    desk = Admin(
        app,
        name="Steadygram",
        theme=theme,
        index_view=Overview(panel),
        csp_nonce_generator=headers.nonce,
    )
    for page in pages(panel):
        desk.add_view(page)
    return app


def open_bearers(panel: Panel) -> Bearers:
    """Who knows tokens, and counts what is asked with them."""
    redis_url = panel.settings.redis_url
    rates = open_rates(redis_url.reveal() if redis_url else None, clock=panel.clock)
    return Bearers(panel, rates)


def pages(panel: Panel) -> list[Page]:
    """The pages, in the order of the menu."""
    line = Line(panel.settings, panel.wire)
    return [
        Users(panel),
        Conversations(panel),
        Plugins(panel),
        Failures(panel),
        Events(panel),
        Chats(panel, line),
        Bots(panel, line),
        *contributed.tables(panel),
        Admins(panel),
        Tokens(panel),
        Audit(panel),
        System(panel),
        Account(panel),
    ]


def configure(app: Flask, panel: Panel) -> None:
    """What Flask and its extensions are told."""
    settings = panel.settings
    secure = not settings.development
    app.config.update(
        SECRET_KEY=settings.secret_key.reveal(),
        SECRET_KEY_FALLBACKS=[key.reveal() for key in settings.secret_key_fallbacks],
        MAX_CONTENT_LENGTH=BODY,
        MAX_FORM_MEMORY_SIZE=BODY,
        MAX_FORM_PARTS=2000,
        SESSION_COOKIE_NAME="__Host-steadygram-form" if secure else "steadygram-form",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=secure,
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.auto_reload = False
    app.jinja_env.globals.update(SHOWN)
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )


def recognise(known: Bearers | Browsers) -> None:
    """Find out who asks: by a token or by a cookie, never by both."""
    if not is_bare():
        known.recognise()


def context() -> dict[str, object]:
    """What every template may use."""
    return {
        "visitor": rights.visitor(),
        "may": rights.may,
        "roles": StaffRole,
        "nonce": headers.nonce,
    }


def is_bare() -> bool:
    """Whether a request needs no database: for a file, for a probe, or for nothing there is."""
    endpoint = request.endpoint or "static"
    return endpoint.endswith("static") or request.blueprint == probes.NAME


def connect() -> None:
    """Take a connection for the request."""
    if not is_bare():
        db.connect(reuse_if_open=True)


def disconnect(_error: BaseException | None) -> None:
    """Give the connection back; one that broke meanwhile is not worth an error any more."""
    try:
        if not db.is_closed():
            db.close()
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("a connection was lost: %s", error)


def answer_too_many(error: TooMany) -> Response:
    """Say when the next attempt may be made."""
    log.warning("%s: too many attempts from %s", request.url_rule, request.remote_addr)
    response = make_response(render_template("error.html", code=429, said=str(error)), 429)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def answer_error(error: Exception) -> Response:
    """One sentence for whatever went wrong; what is secret stays in the log."""
    headers = {}
    if isinstance(error, SecurityError) and not problems.is_api():
        # under a name that is not ours no address can be built
        return Response(f"{error.description}\n", 400, content_type="text/plain")
    if isinstance(error, HTTPException):
        code, said = error.code or 500, error.description or ""
    elif is_outage(error):
        code, said = 503, "The database cannot be reached. Try again in a moment."
        headers["Retry-After"] = RETRY_AFTER
        log.warning("the database cannot be reached: %s", error)
    else:
        route = request.url_rule.rule if request.url_rule else "nothing"
        log.error("%s failed", route, exc_info=error, extra={"request_id": request_id()})
        code, said = 500, "Something went wrong on our side; it is in the log."
    if problems.is_api():
        return problems.answer(error, code, said, headers)
    page = render_template("error.html", code=code, said=said, request_id=request_id())
    return Response(page, code, headers)
