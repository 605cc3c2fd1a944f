"""The chores: what the bot process does every second, minute and hour beside the updates."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Protocol

from bot.conversations import forget
from bot.core import Core
from bot.gauges import Age, measure, oldest_message
from models import Role, User
from services import admins, analytics, erasures, retention, users

log = logging.getLogger(__name__)


class Table(Protocol):
    """Something kept in memory that other processes may change in the database."""

    def refresh(self) -> bool:
        """Read it anew; True when it has changed."""


class Chores:
    """One call of `step` does what is due; the caller calls it every second."""

    def __init__(self, core: Core, tables: list[Table]) -> None:
        self.core = core
        self.tables = tables
        self._due: dict[str, float] = {}
        self._menus_stale = True
        self._team: set[tuple[int, str]] = set()
        metrics, timer = core.parts.metrics, core.parts.timer
        self._update_age = Age(metrics.inbox_oldest_age, timer)
        self._message_age = Age(metrics.messages_oldest_age, timer)

    def step(self, at: float) -> None:
        """Do what is due at the monotonic time `at`; raises what the database raises."""
        try:
            self._keep_up(at)
        finally:
            if self._is_due("process", at, 5):
                self._measure_process()

    def _keep_up(self, at: float) -> None:
        for table in self.tables:
            self._menus_stale |= table.refresh()
        self.core.breaker.refresh()
        self.core.takeovers.refresh()
        self.core.oblivion.refresh()
        self.core.heed.refresh()
        for seat in self.core.seats:
            if seat.led and seat.lease.valid():
                self.core.lanes.wake(self.core.inbox.claim(seat.bot_id))
        if self._is_due("gauges", at, 5):
            self._measure_queues()
            users.lift_bans(self.core.parts.clock())
        if self._is_due("active", at, 60):
            for period in ("day", "week", "month"):
                self.core.parts.metrics.active_users(period).set(analytics.active(period))
        if "forget" not in self._due:  # not before Telegram delivered again what it must
            self._due["forget"] = at + 600
        if self._is_due("forget", at, 600):
            forget(self.core.parts.clock() - timedelta(minutes=1))
            erasures.forget(self.core.parts.clock())
            admins.sweep(self.core.parts.clock())
            self.core.conversations.sweep()
            while self.core.inbox.forget() == 5000:
                pass

    def tell_owners(self, _at: float) -> None:
        """Tell the owners of plugins that were suspended; apart from `step`, as below."""
        news = self.core.breaker.news
        while news:
            self.core.notify(news.pop(0))

    def send_notices(self, _at: float) -> None:
        """Send the notices that are due, for the bots that this process acts for.

        Apart from `step`, since there may be many.
        """
        led = [seat.client for seat in self.core.seats if seat.led and seat.lease.valid()]
        while self.core.notices.step(led):
            pass

    def forget_events(self, at: float) -> None:
        """Forget events that are old enough; apart from `step`, since there may be millions."""
        days = self.core.parts.settings.events_days
        if not days or not self.core.leads() or not self._is_due("events", at, 600):
            return
        if retention.forget_events(self.core.parts.clock(), days=days):
            self._due["events"] = at  # the next second, until none is left

    def send_messages(self, _at: float) -> None:
        """Send what the team wrote; apart from `step`, and from the notices, which may be many."""
        led = [seat.client for seat in self.core.seats if seat.led and seat.lease.valid()]
        while self.core.postman.step(led):
            pass

    def sync_menus(self, at: float) -> None:
        """Bring every bot's command menu up to date, once its name is known.

        Apart from `step`, since Telegram may make it wait.
        """
        if self._is_due("team", at, 5):
            self._look_at_team()
        due = self._is_due("menus", at, 60) or self._menus_stale
        if due and all(seat.runtime.username for seat in self.core.seats):
            self._menus_stale = False
            for seat in self.core.seats:
                if seat.led:
                    seat.menu.sync(seat.client)

    def _is_due(self, name: str, at: float, every: float) -> bool:
        if at < self._due.get(name, at):
            return False
        self._due[name] = at + every
        return True

    def _measure_queues(self) -> None:
        depth, age = self.core.inbox.depth()
        self.core.parts.metrics.inbox_depth.set(depth)
        self._update_age.set(age)
        self._message_age.set(oldest_message(self.core.parts.clock()))

    def _measure_process(self) -> None:
        """What is known without the database, and told while it is away too."""
        metrics = self.core.parts.metrics
        for name in self.core.parts.registry.paths:
            on = self.core.parts.switches.on(name, 0)
            metrics.plugin_state(name).set(-1 if name in self.core.breaker.suspended else on)
        measure(metrics, self.core.parts.settings)

    def _look_at_team(self) -> None:
        """Who was given a role, or lost it, has another menu."""
        found = User.select(User.telegram_id, User.role).where(User.role != Role.USER.value)
        team = {(user.telegram_id, user.role.value) for user in found}
        self._menus_stale |= team != self._team
        self._team = team
