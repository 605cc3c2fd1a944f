"""Questions to plugins: their hooks, each asked in a thread, for as long as a page can wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bot.hooks import HookError
from bot.registry import Registry
from database import db

PATIENCE = 1.0
"""Seconds that all answers of a page together may take."""
SILENT = "It did not answer in time."


class Answer(NamedTuple):
    """What a hook said, or why it did not."""

    said: Any = None
    failed: str = ""


class Question:
    """One call of a hook, on its way."""

    def __init__(self, name: str, ask: Callable[[], Any]) -> None:
        self.answer = Answer(failed=SILENT)
        self.done = threading.Event()
        self._ask = ask
        threading.Thread(target=self._run, name=f"question-{name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self.answer = Answer(self._ask())
        except HookError as error:
            self.answer = Answer(failed=str(error))
        finally:
            if not db.is_closed():
                db.close()
            self.done.set()


class Questions:
    """Asks the hooks of plugins. One that hangs is waited for, and not asked a second time."""

    def __init__(
        self,
        registry: Registry,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], Question] = {}

    def ask(self, hook: str, plugins: Iterable[str]) -> dict[str, Answer]:
        """What these plugins say, by name; those that do not declare the hook are left out."""
        hooks = self._registry.hooks(hook)
        asked = {name: self._begin(hook, name, hooks[name]) for name in plugins if name in hooks}
        until = self._clock() + self._patience
        for question in asked.values():
            question.done.wait(max(0.0, until - self._clock()))
        return {name: question.answer for name, question in asked.items()}

    def _begin(self, hook: str, name: str, ask: Callable[[], Any]) -> Question:
        """The question that is open already, or a new one."""
        with self._lock:
            question = self._open.get((hook, name))
            if question is None or question.done.is_set():
                question = self._open[hook, name] = Question(name, ask)
            return question
