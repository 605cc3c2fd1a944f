"""A client over a wire that answers by a plan, for tests of what calls Telegram."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from bot.client import Client
from bot.form import File
from bot.limits import Limits
from bot.metrics import Metrics
from bot.wire import Reply
from settings import Secret

SECRET_PART = "AAxPlainTokenThatNobodyMaySee_0123456"
MESSAGE = {"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "hi"}


def ok(result: Any = True) -> Reply:
    return Reply(200, {}, json.dumps({"ok": True, "result": result}).encode())


def refusal(code: int, text: str = "Bad Request: chat not found", **parameters: int) -> Reply:
    body = {"ok": False, "error_code": code, "description": text}
    if parameters:
        body["parameters"] = parameters
    return Reply(code, {}, json.dumps(body).encode())


class ScriptedWire:
    """Answers by a plan and keeps every call; after the plan everything is fine."""

    def __init__(self) -> None:
        self.plan: list[Reply | Exception] = []
        self.calls: list[tuple[str, dict[str, str], Mapping[str, File] | None]] = []
        self.timeouts: list[tuple[float, float]] = []
        self.tokens: list[Secret] = []

    def exchange(
        self,
        token: Secret,
        method: str,
        fields: Mapping[str, str],
        files: Mapping[str, File] | None = None,
        timeout: tuple[float, float] = (0, 0),
    ) -> Reply:
        self.tokens.append(token)
        self.calls.append((method, dict(fields), files))
        self.timeouts.append(timeout)
        step = self.plan.pop(0) if self.plan else ok()
        if isinstance(step, Exception):
            raise step
        return step

    def fetch(self, token: Secret, file_path: str, timeout: tuple[float, float] = (0, 0)) -> Reply:
        return self.exchange(token, "download", {"file_path": file_path}, None, timeout)


class Desk:
    """A client with everything around it in the hands of the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.allowed = True
        self.stop = threading.Event()
        self.wire = ScriptedWire()
        self.metrics = Metrics(CollectorRegistry())
        self.limits = Limits(0, 0, 0, clock=lambda: self.now)
        self.client = Client(
            42,
            Secret(f"42:{SECRET_PART}"),
            self.wire,
            self.limits,
            self.metrics,
            clock=lambda: self.now,
            wait=self.wait,
            stop=self.stop,
            allowed=lambda: self.allowed,
            random=lambda: 1.0,
        )

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return self.stop.is_set()

    def plan(self, *steps: Reply | Exception) -> None:
        self.wire.plan = list(steps)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0

    @property
    def methods(self) -> list[str]:
        return [method for method, _, _ in self.wire.calls]
