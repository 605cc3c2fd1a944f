"""The panel's application: everything that answers, behind one gate."""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from admin import headers
from admin.auth import rights
from admin.auth.browsers import Browsers
from admin.auth.doors import Doors
from admin.auth.paths import refuse_foreign
from admin.auth.signin import SignIn
from admin.line import Line
from admin.panel import Panel
from admin.views import contributed
from admin.views.account import Account
from admin.views.admins import Admins
from admin.views.bots import Bots
from admin.views.chats import Chats
from admin.views.failures import Failures
from admin.views.overview import Overview
from admin.views.page import Page
from admin.views.plugins import Plugins
from database import db, is_outage
from services.attempts import TooMany
from staff import StaffRole

log = logging.getLogger(__name__)

BODY = 2**20
"""Bytes that a request may bring."""


def create_app(panel: Panel) -> Flask:
    """Put the application together; it works on the bound database."""
    app = Flask(__name__)
    configure(app, panel)
    browsers = Browsers(secure=not panel.settings.development, clock=panel.clock)
    app.extensions["sessions"] = browsers
    app.before_request(connect)
    app.before_request(browsers.recognise)
    app.before_request(rights.pass_gate)
    app.before_request(refuse_foreign)
    CSRFProtect(app)
    app.after_request(lambda response: headers.write(response, secure=browsers.secure))
    app.teardown_request(disconnect)
    app.register_error_handler(Exception, answer_error)
    app.context_processor(context)
    app.register_error_handler(TooMany, answer_too_many)
    sign_in = SignIn(panel, browsers)
    app.register_blueprint(sign_in.blueprint())
    app.register_blueprint(Doors(sign_in).blueprint())
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


def pages(panel: Panel) -> list[Page]:
    """The pages, in the order of the menu."""
    line = Line(panel.settings, panel.wire)
    return [
        Plugins(panel),
        Failures(panel),
        Chats(panel, line),
        Bots(panel, line),
        *contributed.tables(panel),
        Admins(panel),
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
        TRUSTED_HOSTS=list(settings.hosts) or None,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=secure,
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.auto_reload = False
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )


def context() -> dict[str, object]:
    """What every template may use."""
    return {
        "visitor": rights.visitor(),
        "may": rights.may,
        "roles": StaffRole,
        "nonce": headers.nonce,
    }


def connect() -> None:
    """Take a connection for the request."""
    if request.endpoint and not request.endpoint.endswith("static"):
        db.connect(reuse_if_open=True)


def disconnect(_error: BaseException | None) -> None:
    """Give the connection back."""
    if not db.is_closed():
        db.close()


def answer_too_many(error: TooMany) -> Response:
    """Say when the next attempt may be made."""
    log.warning("%s: too many attempts from %s", request.url_rule, request.remote_addr)
    response = make_response(render_template("error.html", code=429, said=str(error)), 429)
    response.headers["Retry-After"] = str(error.seconds)
    return response


def answer_error(error: Exception) -> Response | tuple[str, int]:
    """One sentence for whatever went wrong; what is secret stays in the log."""
    if isinstance(error, SecurityError):  # under a name that is not ours no address can be built
        return make_response(
            "Nothing is served under this name.\n", 400, {"Content-Type": "text/plain"}
        )
    if isinstance(error, HTTPException):
        code, said = error.code or 500, error.description or ""
    elif is_outage(error):
        code, said = 503, "The database cannot be reached. Try again in a moment."
    else:
        log.error("%s %s failed", request.method, request.url_rule, exc_info=error)
        code, said = 500, "Something went wrong on our side; it is in the log."
    return render_template("error.html", code=code, said=said), code
