"""Advice on a plugin: what it lacks, and runs without."""

from __future__ import annotations

from collections.abc import Iterator

from bot.plugin import Plugin
from models import Base, User


def on(plugin: Plugin) -> Iterator[str]:
    """A sentence for each thing that its author may want to mend."""
    if not plugin.description:
        yield "no docstring: begin the file with one, it is the plugin's description."
    if plugin.jobs:
        names = ", ".join(f"{name}()" for name in plugin.jobs)
        yield f"jobs and tasks are recorded and do not run yet: {names}."
    lacking = [hook for hook in ("export_user", "delete_user") if hook not in plugin.hooks]
    personal = [model.__name__ for model in plugin.models if is_personal(model)]
    if lacking and personal:
        hooks = " and ".join(f"@plugin.{hook}" for hook in lacking)
        yield (
            f"{', '.join(personal)} holds data of people and there is no {hooks}: declare it, or"
            " /mydata and /deleteme leave that out."
        )


def is_personal(model: type[Base]) -> bool:
    """Whether a table has a column for a person: user_id, telegram_id, or a key of users."""
    fields = model._meta.sorted_fields
    names = {name for field in fields for name in (field.name, field.column_name)}
    return bool(names & {"user_id", "telegram_id"}) or any(
        getattr(field, "rel_model", None) is User for field in fields
    )
