"""Reports: errors go to Sentry when SENTRY_DSN is set, without a word of or about people.

The message of an exception may quote what somebody wrote, so its class and its place are told and
its words are not: those are on the panel's page Failures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from bot.lines import mask
from settings import VERSION, Settings, SettingsError

MISSING = "SENTRY_DSN needs a package: run pip install -r requirements-extra.txt"
FAREWELL = 1.0
"""Seconds that Sentry gets for what waits at the end."""
REST = 60.0
"""Seconds for which a Sentry that was not reached is left alone: each try costs milliseconds."""
DROPPED = ("extra", "user", "request", "breadcrumbs", "server_name", "modules")


def report(settings: Settings, *, app: str = "bot", transport: Any = None) -> None:
    """Tell Sentry of each error that is logged, from a queue of bounded length.

    Raises SettingsError without the package.
    """
    if settings.sentry_dsn is None:
        return
    try:
        import sentry_sdk
        from sentry_sdk.integrations.logging import LoggingIntegration
    except ImportError:
        raise SettingsError(f"{MISSING}.") from None
    sentry_sdk.init(
        dsn=settings.sentry_dsn.reveal(),
        transport=transport or patient(),
        release=VERSION,
        environment=settings.environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, sentry_logs_level=None)],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        server_name="",
        shutdown_timeout=FAREWELL,
        before_send=lambda event, _hint: scrub(event, app),
    )


def patient(clock: Callable[[], float] = time.monotonic) -> Any:
    """A transport of sentry_sdk that drops what comes soon after a try that found nobody."""
    from sentry_sdk.transport import HttpTransport

    class Patient(HttpTransport):
        rests_until = float("-inf")

        def capture_envelope(self, envelope: Any) -> None:
            if clock() >= self.rests_until:
                super().capture_envelope(envelope)

        def on_dropped_event(self, _reason: str) -> None:
            if _reason == "network":
                self.rests_until = clock() + REST

    return Patient


def scrub(event: Any, app: str = "bot") -> Any:
    """An event with what names or quotes people left out, and no token in what stays."""
    kept = {name: value for name, value in event.items() if name not in DROPPED}
    kept["tags"] = {"app": app}
    if "logentry" in kept:
        kept["logentry"] = {"message": str(kept["logentry"].get("message"))}
    for raised in kept.get("exception", {}).get("values", ()):
        raised["value"] = ""
        for frame in raised.get("stacktrace", {}).get("frames", ()):
            frame.pop("vars", None)
    return json.loads(mask(json.dumps(kept, default=str)))
