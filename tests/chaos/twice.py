"""A Telegram that delivers everything twice: each batch once more with the next one, shuffled."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from sandbox.telegram import Answer, File, Telegram
from tests.chaos.city import Witness
from tests.chaos.post import Post


class Twice(Telegram):
    """Repeats and shuffles what getUpdates gives; counts what was repeated."""

    repeats = 0
    owed: list[dict[str, Any]] = []  # noqa: RUF012 - replaced, never changed
    _dice = random.Random(20260501)
    _delivered: frozenset[int] = frozenset()

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        if method != "getUpdates":
            return super().call(token, method, params, files)
        owed = self.owed
        if owed:  # they are not to wait for new ones
            params = {**params, "timeout": "0"}
        answer = super().call(token, method, params, files)
        new = answer.body.get("result")
        if not isinstance(new, list):
            return answer
        self.owed = list(new)
        return Answer(200, {"ok": True, "result": self._mix([*owed, *new])})

    def _mix(self, updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [update["update_id"] for update in updates]
        self.repeats += len(ids) - len(set(ids) - self._delivered)
        self._delivered |= frozenset(ids)
        return self._dice.sample(updates, len(updates))


class TwicePost(Twice, Post):
    """In memory."""


class TwiceWitness(Twice, Witness):
    """Behind a socket."""
