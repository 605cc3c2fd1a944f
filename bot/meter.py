"""The meter: counts each try of a call to Telegram, and says it where the log wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.logs import topic
from bot.tracing import tracing
from bot.wire import Ambiguous, NeverSent, Reply

if TYPE_CHECKING:
    from bot.metrics import Metrics

log = logging.getLogger(__name__)

CODES: dict[type, str] = {NeverSent: "never_sent", Ambiguous: "ambiguous"}
"""What the metrics call a try without an answer."""

Outcome = Reply | Exception


class Meter:
    """`start` when a call goes out; what it gives is told the outcome, in whatever thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock

    def start(self, method: str) -> Callable[[Outcome], None]:
        """Note the time, and which update is at it."""
        started, about = self._clock(), topic.fields
        close = tracing.begin("api_call", method=method) if tracing.on else None

        def end(outcome: Outcome) -> None:
            seconds = self._clock() - started
            code = CODES.get(type(outcome)) or str(getattr(outcome, "status", ""))
            self._metrics.api(method, code, seconds)
            if close is not None:
                close(code)
            if log.isEnabledFor(logging.DEBUG):
                facts = {"method": method, "code": code, "duration_ms": round(seconds * 1000, 2)}
                log.debug("api_call", extra={**about, **facts})

        return end
