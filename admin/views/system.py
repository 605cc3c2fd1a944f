"""The system: versions, database, queues, settings, and why nothing happened."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import redis
from flask import request
from flask_admin import expose

from admin import facts
from admin.panel import Panel
from admin.views import cards
from admin.views.page import Page
from models import Bot
from services import pulse, users
from staff import StaffRole

if TYPE_CHECKING:
    from bot.explain import Explainer, Question

LONGEST = 4096
"""Letters of a message, by Telegram's rule."""
NUMBER = re.compile(r"-?[0-9]{1,15}")
NAME = re.compile(r"@?[A-Za-z0-9_]{1,64}")
TIMEOUT = 0.3


class Unclear(ValueError):
    """A question that cannot be answered; one sentence that says what is missing."""


class System(Page):
    """What the bot runs on."""

    read = StaffRole.ADMIN

    def __init__(self, panel: Panel) -> None:
        self._making = threading.Lock()
        super().__init__(panel, name="System", category="Team", endpoint="system", url="/system")

    @expose("/")
    def index(self) -> Any:
        """The facts, and an empty form."""
        return self._page()

    @expose("/why", methods=["POST"])
    def why(self) -> Any:
        """What would decide about an update that is described in the form; nothing is done."""
        from bot.explain import Busy

        self.panel.refresh()
        try:
            said = self._explainer.explain(self._question())
        except Busy as error:
            return self._page(trouble=str(error)), 503
        except Unclear as error:
            return self._page(trouble=str(error)), 400
        return self._page(said=said)

    def _page(self, **more: Any) -> Any:
        at = self.panel.clock()
        return self.render(
            "system.html",
            versions=list(facts.versions()),
            database=[*facts.database(self.panel), facts.cache(self._store)],
            machine=[*facts.machine(self.panel.settings), facts.backup(self.panel.settings, at)],
            waiting=pulse.waiting(at),
            bounded=cards.bounded,
            leases=facts.leases(),
            settings=facts.settings_of(self.panel.settings),
            bots=self._bots(),
            form=request.form,
            longest=LONGEST,
            **more,
        )

    def _bots(self) -> dict[int, str]:
        """The bots that can be asked about, by their ids."""
        ids = (int(token.reveal().partition(":")[0]) for token in self.panel.settings.bots)
        names = {bot.id: f"@{bot.username}" for bot in Bot.select().order_by(Bot.id)}
        return names | {bot_id: str(bot_id) for bot_id in ids if bot_id not in names}

    def _question(self) -> Question:
        """What the form asks. Raises Unclear."""
        from bot.explain import Question

        bots, said = self._bots(), request.form.get("bot", "")
        if not said:
            said = str(next(iter(bots)))
        if not NUMBER.fullmatch(said) or (bot_id := int(said)) not in bots:
            raise Unclear("There is no such bot here: choose one of the list.")
        user_id = self._person(request.form.get("user", "").strip())
        chat = request.form.get("chat", "").strip()
        if chat and not NUMBER.fullmatch(chat):
            raise Unclear("A chat is a number, such as -1001234567890: leave it empty for private.")
        text = request.form.get("text", "")
        if not text or len(text) > LONGEST:
            raise Unclear(f"Say what they write or tap, in 1 to {LONGEST} letters.")
        data = text if request.form.get("kind") == "button" else None
        return Question(bot_id, user_id, int(chat or user_id), "" if data else text, data)

    def _person(self, said: str) -> int:
        """The Telegram id of who is meant. Raises Unclear."""
        if NUMBER.fullmatch(said) and int(said) > 0:
            return int(said)
        found = users.find_name(said.removeprefix("@")) if NAME.fullmatch(said) else None
        if found is None:
            raise Unclear("Nobody of this name has written: give their Telegram id, or an @name.")
        return found.telegram_id

    @cached_property
    def _store(self) -> redis.Redis | None:
        url = self.panel.settings.redis_url
        if url is None:
            return None
        return redis.Redis.from_url(
            url.reveal(), socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None
        )

    @property
    def _explainer(self) -> Explainer:
        """Made when it is first wanted: it needs the library of bots, which is large."""
        with self._making:
            return self._made

    @cached_property
    def _made(self) -> Explainer:
        from bot.explain import Explainer
        from bot.throttle import Throttle

        settings, throttle = self.panel.settings, None
        if self._store is not None:
            throttle = Throttle(settings.throttle_rate, settings.throttle_burst, store=self._store)
        panel = self.panel
        return Explainer(panel.registry, settings, throttle=throttle, clock=panel.clock)
