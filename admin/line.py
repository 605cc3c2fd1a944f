"""The line to Telegram: calls that a page makes once, with little patience and no retries."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from bot.limits import Limits
from bot.lines import mask
from bot.metrics import Metrics
from bot.wire import Ambiguous, CurlWire, NeverSent
from settings import Secret, Settings

if TYPE_CHECKING:
    from bot.client import Client
    from bot.wire import Wire

PATIENCE = (2.0, 4.0)
"""Seconds to connect, and to read the answer: somebody looks at an empty page meanwhile."""
AWAY = "Telegram cannot be reached at the moment. Try again in a while."


class Silent(Exception):
    """Telegram did not do what was asked; one sentence that says why."""


class Line:
    """The bots of this installation, each by its id; their tokens stay here."""

    def __init__(self, settings: Settings, wire: Wire | None = None) -> None:
        self._settings = settings
        self._wire = wire
        self._tokens = {id_of(token): token for token in settings.bots}

    @property
    def bots(self) -> list[int]:
        """The ids of the bots whose tokens are set."""
        return list(self._tokens)

    def call(self, bot_id: int, method: str, **params: Any) -> Any:
        """Call a method once and give its result. Raises Silent."""
        from telebot.apihelper import ApiTelegramException

        from bot.client import Stopping

        if (client := self._clients.get(bot_id)) is None:
            raise Silent("The token of this bot is not among the settings of the panel.")
        try:
            return client.call(method, params, timeout=PATIENCE)
        except ApiTelegramException as error:
            if error.error_code == 401:
                raise Silent(
                    "Telegram refuses the token: take a new one from @BotFather."
                ) from None
            raise Silent(f"Telegram refused: {mask(str(error.description))[:300]}") from None
        except (Stopping, NeverSent, Ambiguous):
            raise Silent(AWAY) from None

    @cached_property
    def _clients(self) -> dict[int, Client]:
        """A client each, made with the first call: telebot, which it needs, is slow to load."""
        from bot.client import Client

        wire = self._wire or CurlWire(self._settings.telegram_url)
        return {
            bot_id: Client(
                bot_id, token, wire, Limits(0, 0, 0), Metrics(), wait=lambda _seconds: True
            )
            for bot_id, token in self._tokens.items()
        }


def id_of(token: Secret) -> int:
    """The id of a bot, which its token begins with."""
    return int(token.reveal().partition(":")[0])
