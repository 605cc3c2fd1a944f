"""Reloads that were refused: kept for whoever asked for one, under the name of its lease."""

from __future__ import annotations

from database import now
from staff import Refusal


def refuse(name: str, owner: str, begun: float, said: str) -> None:
    """Keep why the reload that a process began at a monotonic time did not come about."""
    row = {"owner": owner, "begun": begun, "said": said, "created_at": now()}
    Refusal.insert(name=name, **row).on_conflict(
        conflict_target=[Refusal.name], preserve=[getattr(Refusal, field) for field in row]
    ).execute()


def refusal(name: str, owner: str, since: float) -> str | None:
    """Why the last reload of a process that began since then was refused; None when none was."""
    row = Refusal.get_or_none(Refusal.name == name)
    if row is None or row.owner != owner or row.begun < since:
        return None
    return str(row.said)


def accept(name: str) -> None:
    """Forget the last refusal: the bot runs with the plugins as they are now."""
    Refusal.delete().where(Refusal.name == name).execute()


def refusals() -> list[Refusal]:
    """The last refusal of each bot whose reload did not come about since, newest first."""
    return list(Refusal.select().order_by(Refusal.created_at.desc()))
