"""The bots: who polls them, what Telegram says of their webhook, and how to begin afresh."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from flask import abort, flash, redirect
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth.rights import actor, needs
from admin.line import Line, Silent
from admin.panel import Panel
from admin.views.page import Page
from bot.lines import mask
from services import audit, bots
from staff import StaffRole

AT_ONCE = 8
"""Bots that Telegram is asked about side by side."""
PATH = "/telegram/{bot_id}"


class Hook(NamedTuple):
    """What Telegram says of a bot's webhook, or why it said nothing."""

    url: str = ""
    pending: int | None = None
    error: str = ""
    silent: str = ""


class Bots(Page):
    """See to the bots of this installation."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel, line: Line | None = None) -> None:
        super().__init__(panel, name="Bots", category="Bot", endpoint="bots", url="/bots")
        self.line = line or Line(panel.settings, panel.wire)

    @expose("/")
    def index(self) -> Any:
        """All of them, those first whose tokens are set."""
        ours = self.line.bots
        ids = [*ours, *(each for each in bots.known() if each not in ours)]
        at = self.panel.clock()
        return self.render(
            "bots/list.html",
            bots=[bots.standing(each, at) for each in ids],
            hooks=self._hooks(ours),
            mode=self.panel.settings.mode,
            sandbox=self.panel.settings.sandbox,
            counted=bots.COUNTED,
        )

    @expose("/<int:bot_id>/drop", methods=["POST"])
    @needs(StaffRole.ADMIN, fresh=True)
    def drop(self, bot_id: int) -> Response:
        """Have Telegram forget the updates that it still keeps for a bot."""
        if self.panel.settings.mode == "webhook":
            method, params = "setWebhook", {**self._webhook(bot_id), "drop_pending_updates": True}
        else:
            method, params = "deleteWebhook", {"drop_pending_updates": True}
        return self._do("bot.drop_pending", bot_id, method, params, "Telegram dropped them.")

    @expose("/<int:bot_id>/webhook", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def hook(self, bot_id: int) -> Response:
        """Tell Telegram again where the updates go: to us, or nowhere when the bots poll."""
        if self.panel.settings.mode == "webhook":
            params = self._webhook(bot_id)
            return self._do("bot.set_webhook", bot_id, "setWebhook", params, "The webhook is set.")
        return self._do("bot.delete_webhook", bot_id, "deleteWebhook", {}, "The webhook is gone.")

    def _do(
        self, action: str, bot_id: int, method: str, params: dict[str, Any], said: str
    ) -> Response:
        """Ask Telegram for a change: noted before, and once more when nothing came of it."""
        if bot_id not in self.line.bots:
            abort(404, "There is no such bot here.")
        audit.record(actor(), action, f"bot:{bot_id}")
        try:
            self.line.call(bot_id, method, **params)
        except Silent as silent:
            audit.record(actor(), f"{action}_failed", f"bot:{bot_id}", after={"said": str(silent)})
            flash(str(silent), "error")
        else:
            flash(said, "success")
        return redirect(self.get_url(".index"))

    def _webhook(self, bot_id: int) -> dict[str, Any]:
        settings = self.panel.settings
        secret = settings.webhook_secret.reveal() if settings.webhook_secret else ""
        url = settings.webhook_url.rstrip("/") + PATH.format(bot_id=bot_id)
        return {"url": url, "secret_token": secret}

    def _hooks(self, ids: list[int]) -> dict[int, Hook]:
        """What Telegram says of each, asked side by side: it may be slow, or away."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return dict(zip(ids, threads.map(self._ask, ids)))

    def _ask(self, bot_id: int) -> Hook:
        try:
            info = self.line.call(bot_id, "getWebhookInfo")
        except Silent as silent:
            return Hook(silent=str(silent))
        return Hook(
            mask(str(info.get("url") or "")),
            info.get("pending_update_count"),
            mask(str(info.get("last_error_message") or "")),
        )
