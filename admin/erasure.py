"""Erasing a person from the panel, by a page or the API: tables, plugins and cache."""

from __future__ import annotations

from admin.panel import Panel
from services import care
from services.audit import Actor
from services.cache import open_cache
from services.privacy import Receipt
from staff import StaffRole


def erase(panel: Panel, actor: Actor, user_id: int, power: StaffRole) -> Receipt:
    """Erase a person everywhere, and say what that was. Raises care.Refused."""
    if broken := [failure.name for failure in panel.registry.failures]:
        raise care.Refused(
            f"Nothing was erased: {', '.join(broken)} could not be loaded and would keep what"
            " it holds. Mend it, restart the panel, and erase again."
        )
    hooks = panel.registry.hooks("delete_user")
    receipt, words = care.erase(actor, user_id, power, hooks)
    url = panel.settings.redis_url
    dropped = open_cache(url.reveal() if url else None).forget(words)
    receipt.tables["cache"] = dropped or 0
    return receipt
