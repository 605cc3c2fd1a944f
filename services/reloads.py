"""Reloads that were refused: kept for whoever asked for one, under the name of its lease."""

from __future__ import annotations

from models import PluginSetting

OWNER = ""
"""No plugin has this name."""


def refuse(name: str, owner: str, begun: float, said: str) -> None:
    """Keep why the reload that a process began at a monotonic time did not come about."""
    value = {"owner": owner, "begun": begun, "said": said}
    PluginSetting.insert(plugin=OWNER, key=name, value=value).on_conflict(
        conflict_target=[PluginSetting.plugin, PluginSetting.key], preserve=[PluginSetting.value]
    ).execute()


def refusal(name: str, owner: str, since: float) -> str | None:
    """Why the last reload of a process that began since then was refused; None when none was."""
    row = PluginSetting.get_or_none(PluginSetting.plugin == OWNER, PluginSetting.key == name)
    if row is None or row.value["owner"] != owner or row.value["begun"] < since:
        return None
    return str(row.value["said"])
