"""The meter: counts each try of a call to Telegram, and says it where the log wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from bot.logs import topic
from bot.tracing import tracing
from bot.wire import Ambiguous, NeverSent, Reply

if TYPE_CHECKING:
    from bot.metrics import Metrics

log = logging.getLogger(__name__)

CODES: dict[type, str] = {NeverSent: "never_sent", Ambiguous: "ambiguous"}
"""What the metrics call a try without an answer."""

Outcome = Reply | Exception
Call: TypeAlias = tuple[str, float, Mapping[str, object], Callable[[str], None] | None]
"""A call that went out: its method, when, what its thread was at, and what ends its span."""


class Meter:
    """`start` when a call goes out, `end` with what that gave and the outcome, in any thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock

    def start(self, method: str) -> Call:
        """Note the time, and which update is at it."""
        close = tracing.begin("api_call", method=method) if tracing.on else None
        return method, self._clock(), topic.fields, close

    def end(self, call: Call, outcome: Outcome) -> None:
        """Count a call."""
        method, started, about, close = call
        seconds = self._clock() - started
        code = CODES.get(type(outcome)) or str(getattr(outcome, "status", ""))
        self._metrics.api(method, code, seconds)
        if close is not None:
            close(code)
        if log.isEnabledFor(logging.DEBUG):
            facts = {"method": method, "code": code, "duration_ms": round(seconds * 1000, 2)}
            log.debug("api_call", extra={**about, **facts})
