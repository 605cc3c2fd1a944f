"""Moving: a group became a supergroup, and what is kept of it goes along."""

from __future__ import annotations

import logging
from typing import Any

import peewee

from bot.hooks import HookError
from bot.registry import Registry
from database import db
from outages import is_outage
from services import users
from services.plugins import Switches

log = logging.getLogger(__name__)


def move_chat(
    registry: Registry, switches: Switches, bot_id: int, old: int, new: int
) -> list[HookError]:
    """Carry a group's data over to the supergroup it became, in one transaction.

    A plugin whose hook fails keeps none of what the hook wrote; give what it raised.
    """
    failed = []
    with db.atomic():
        users.migrate_chat(bot_id, old, new)
        for plugin in registry.plugins.values():
            for model in plugin.models:
                if field_ := model._meta.fields.get("chat_id"):
                    _move_rows(model, field_, old, new)
        for move in registry.hooks("migrate_chat").values():
            try:
                with db.atomic():
                    move(old, new)
            except HookError as error:
                if is_outage(error):
                    raise
                failed.append(error)
    switches.refresh()
    return failed


def _move_rows(model: Any, field_: Any, old: int, new: int) -> None:
    """Give a plugin's rows the new id; where the new chat has its like already, that one stays."""
    try:
        with db.atomic():
            model.update({field_: new}).where(field_ == old).execute()
    except peewee.IntegrityError:
        for row in list(model.select().where(field_ == old)):
            try:
                with db.atomic():
                    model.update({field_: new}).where(row._pk_expr()).execute()
            except peewee.IntegrityError:
                log.warning("%s: a row of chat %s stays behind", model.__name__, old)
