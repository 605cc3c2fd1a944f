"""The plugins: what they do at the moment, and their switches and settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import abort, flash, redirect, request
from flask_admin import expose
from werkzeug.wrappers import Response

from admin.auth.rights import actor, needs
from admin.panel import Panel
from admin.questions import Answer, Questions
from admin.views import options
from admin.views.ask import chat_id_of, word
from admin.views.page import Page
from bot.breaker import Breaker
from bot.control import Control, Listed
from bot.plugin import Plugin
from bot.registry import Failure
from database import db
from models import Chat
from services import groups, plugins, reloads, switching
from services.plugins import Rest
from staff import StaffRole

CHATS = 100
"""Chats that are offered, and chats that are listed, on one page."""
FAILURES = 5


@dataclass(frozen=True, slots=True)
class Card:
    """All that a page says of one plugin."""

    listed: Listed
    plugin: Plugin | None = None
    rest: Rest | None = None
    broken: Failure | None = None
    chats_off: list[int] = field(default_factory=list)
    health: Answer | None = None
    stats: Answer | None = None

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.listed.name

    @property
    def figures(self) -> dict[str, str]:
        """The plugin's own numbers, as they are shown."""
        said = self.stats.said if self.stats and isinstance(self.stats.said, dict) else {}
        return {str(name)[:60]: _figure(value) for name, value in list(said.items())[:20]}


class Plugins(Page):
    """Switch, set and look after the plugins."""

    read = StaffRole.VIEWER

    def __init__(self, panel: Panel, questions: Questions | None = None) -> None:
        super().__init__(panel, name="Plugins", category="Bot", endpoint="plugins", url="/plugins")
        self.questions = questions or Questions(panel.registry)

    @expose("/")
    def index(self) -> Any:
        """All of them."""
        return self.render("plugins/list.html", cards=self._cards(), refusals=reloads.refusals())

    @expose("/<plugin>")
    def one(self, plugin: str) -> Any:
        """One of them."""
        return self._show(self._card(plugin))

    @expose("/<plugin>/switch", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def switch(self, plugin: str) -> Response:
        """Switch it on or off, in the chat that is given or everywhere."""
        self._known(plugin)
        on, chat_id = word("on", "0", "1") == "1", chat_id_of("chat_id")
        switching.switch(actor(), self.panel.switches, plugin, on, chat_id)
        where = f"in the chat {chat_id}" if chat_id else "everywhere"
        flash(f"{plugin} is {'on' if on else 'off'} {where}.", "success")
        return redirect(self._own(plugin))

    @expose("/<plugin>/retry", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def retry(self, plugin: str) -> Response:
        """Try a suspended plugin again at once."""
        self._known(plugin)
        if switching.retry(actor(), plugin):
            flash(f"{plugin} runs again in a moment.", "success")
        else:
            flash(f"{plugin} is not suspended any more.", "info")
        return redirect(self._own(plugin))

    @expose("/<plugin>/settings", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def settings(self, plugin: str) -> Any:
        """Take the form of the settings: all of it, or nothing when something does not fit."""
        declared = self._declared(plugin)
        self.panel.preferences.refresh()
        filled = options.fill(declared, request.form)
        if filled.errors:
            return self._show(self._card(plugin), request.form, filled.errors), 400
        with db.atomic():
            for key, value in filled.values.items():
                setting = declared.settings[key]
                switching.put(actor(), self.panel.preferences, setting, value)
        flash(_changed(list(filled.values)), "success")
        return redirect(self._own(plugin))

    @expose("/<plugin>/reset", methods=["POST"])
    @needs(StaffRole.ADMIN)
    def reset(self, plugin: str) -> Response:
        """Give a setting its default back."""
        setting = self._declared(plugin).settings.get(request.form.get("key", ""))
        if setting is None:
            abort(404, f"The plugin {plugin} has no such setting.")
        switching.reset(actor(), self.panel.preferences, setting)
        flash(f"{setting.key} has its default again.", "success")
        return redirect(self._own(plugin))

    def _show(
        self,
        card: Card,
        form: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> Any:
        shown = card.plugin
        off = card.chats_off[:CHATS]
        return self.render(
            "plugins/one.html",
            card=card,
            fields=[*options.fields(shown, self.panel.preferences, form or {}, errors or {})]
            if shown
            else [],
            chats={row.telegram_id: row for row in _chats(off)},
            off=off,
            offered=list(Chat.select().order_by(Chat.id.desc()).limit(CHATS)),
            counted=groups.LISTED,
            failures=groups.about(groups.newest(only_open=False, plugin=card.name)[:FAILURES]),
        )

    def _cards(self, only: str | None = None) -> list[Card]:
        """Every plugin, or one, as it is now; the hooks of those that are on are asked."""
        panel = self.panel
        panel.switches.refresh()
        panel.preferences.refresh()
        breaker = Breaker(clock=panel.clock)
        breaker.suspended = plugins.suspensions()
        every = Control(panel.registry, panel.switches, panel.preferences, breaker).all()
        found = [each for each in every if only is None or each.name == only]
        on = [each.name for each in found if panel.switches.on(each.name)]
        health, stats = self.questions.ask("health", on), self.questions.ask("stats", on)
        broken = {each.name: each for each in panel.registry.failures}
        return [
            Card(
                each,
                panel.registry.plugins.get(each.name),
                breaker.suspended.get(each.name),
                broken.get(each.name) if each.state == "broken" else None,
                panel.switches.chats_off(each.name),
                health.get(each.name),
                stats.get(each.name),
            )
            for each in found
        ]

    def _card(self, name: str) -> Card:
        found = self._cards(name)
        if not found:
            abort(404, "There is no such plugin.")
        return found[0]

    def _known(self, name: str) -> None:
        if name not in self.panel.registry.paths:
            abort(404, "There is no such plugin, or it could not be loaded.")

    def _declared(self, name: str) -> Plugin:
        plugin = self.panel.registry.plugins.get(name)
        if plugin is None:
            abort(404, "There is no such plugin, or it could not be loaded.")
        return plugin

    def _own(self, name: str) -> str:
        return str(self.get_url(".one", plugin=name))


def _chats(ids: Iterable[int]) -> Iterable[Chat]:
    wanted = list(ids)
    return Chat.select().where(Chat.telegram_id.in_(wanted)) if wanted else []


def _figure(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
    return str(value)[:200]


def _changed(keys: list[str]) -> str:
    if not keys:
        return "Nothing was changed."
    return f"Changed: {', '.join(keys)}. The bot follows within two seconds."
