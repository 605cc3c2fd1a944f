"""Troubles made on purpose: errors, delays and cut connections, by method and by chat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.answers import ConnectionCut, Refused
from sandbox.params import Params, as_integer

TEXTS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running",
    421: "Misdirected Request: unallowed token specified",
    500: "Internal Server Error: restart",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
KINDS = ("slow", "cut_before", "cut_after")
CHAT_PARAMETERS = ("chat_id", "from_chat_id")


@dataclass(slots=True)
class Fault:
    """One trouble. `times` counts down to 0, None is for ever; `value` is in seconds."""

    kind: str
    method: str = "*"
    chat_id: int | None = None
    times: int | None = None
    value: float | None = None

    def fits(self, method: str, chats: set[int]) -> bool:
        """True when a call of this method for these chats is to have the trouble."""
        if self.times == 0 or self.method.lower() not in ("*", method):
            return False
        return self.chat_id is None or self.chat_id in chats


class Faults:
    """The troubles that are switched on; the first that fits a call is the one it has."""

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep
        self._lock = threading.Lock()
        self.items: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Switch a trouble on.

        Raises: ValueError for a kind that does not exist.
        """
        if fault.kind not in KINDS and not (fault.kind.isdigit() and int(fault.kind) in STATUSES):
            known = ", ".join([*map(str, sorted(STATUSES)), *KINDS])
            raise ValueError(f"There is no fault {fault.kind!r}; use one of {known}.")
        with self._lock:
            self.items.append(fault)
        return fault

    def clear(self) -> None:
        """Switch every trouble off."""
        with self._lock:
            self.items.clear()

    def meet(self, method: str, params: Params) -> Fault | None:
        """The trouble that a call has, counted as used; a slow call has waited by then.

        Raises: Refused for an error status, ConnectionCut for a cut before the call.
        """
        if not self.items:
            return None
        fault = self._take(method, {as_integer(params.values.get(n)) for n in CHAT_PARAMETERS})
        if fault is None:
            return None
        if fault.kind == "slow":
            self._sleep(1.0 if fault.value is None else fault.value)
        elif fault.kind == "cut_before":
            raise ConnectionCut(sent=False)
        elif fault.kind != "cut_after":
            raise _refusal(int(fault.kind), fault.value)
        return fault

    def _take(self, method: str, chats: set[int]) -> Fault | None:
        with self._lock:
            fault = next((item for item in self.items if item.fits(method, chats)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.items.remove(fault)
        return fault


STATUSES = frozenset({*TEXTS, 429})


def _refusal(status: int, value: float | None) -> Refused:
    if status != 429:
        return Refused(status, TEXTS[status])
    seconds = 1 if value is None else int(value)
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
