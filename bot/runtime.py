"""Round a context: what all contexts of a bot share, and what a handler leaves for the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from bot.conversations import Open
from models import User
from services.messages import Received

if TYPE_CHECKING:
    from bot.client import Client
    from bot.control import Control
    from bot.i18n import Catalogues
    from bot.outbox import Outbox
    from bot.registry import Registry
    from services.cache import Cache


class Ended(Enum):
    """What a conversation becomes with its last answer."""

    ENDED = "ended"


ENDED: Final = Ended.ENDED


class Passed(Enum):
    """What a handler returns that only looked: the next one that fits gets the update too."""

    PASS = "pass"  # noqa: S105 - no password


PASS: Final = Passed.PASS


@dataclass(slots=True)
class Effects:
    """What a handler leaves for the core, committed together with the update's done mark."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    letters: list[Received] = field(default_factory=list)
    """What the team is to read."""
    conversation: Open | Ended | None = None
    answered: bool = False
    erased: bool = False
    """Whether the person was erased: nothing of this update is to be counted or kept."""


@dataclass(slots=True)
class Runtime:
    """What the contexts of one bot share."""

    caller: Client | Outbox
    bot_id: int
    username: str
    catalogues: Catalogues
    default_language: str
    owner_ids: frozenset[int]
    registry: Registry
    cache: Cache
    clock: Callable[[], datetime]
    plugins: Control | None = None
    panel_url: str = ""
    tell_menu: Callable[[Client | Outbox, User], None] | None = None
    """Shows a person the commands in their language; None where no menu is kept."""
