"""The delivery of notices: what is due, to those who want it now; answers go first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot import pieces
from bot.client import Ambiguous, ApiTelegramException, Client, Held, NeverSent, Stopping
from database import db
from models import EventType, Notice, Status, User, UserPreference
from services import analytics, notices, users

log = logging.getLogger(__name__)

TRIES = 20
"""How often a notice is sent whose fate is not known, before it is given up after some hours."""
LONGEST = 600.0
"""Seconds between two of these tries."""
MOMENT = 0.04
"""Seconds to wait after a call that may not go yet: the pace over all chats is 30 a second."""
GONE = ("bot was blocked by the user", "user is deactivated")


class Delivery:
    """Sends the notices of some bots, one at a time, so that an answer never waits for two.

    A notice is forgotten after it was sent: one that a crash comes between is sent again. `wait`
    waits so many seconds and says whether to end.
    """

    def __init__(
        self, clock: Callable[[], datetime], wait: Callable[[float], bool], *, any_bot: Client
    ) -> None:
        """`any_bot` sends what is not for a certain one."""
        self._clock = clock
        self._wait = wait
        self._any = any_bot

    def step(self, clients: Sequence[Client]) -> int:
        """Send what is due, once over; the number of notices that are done with."""
        senders: dict[int | None, Client] = {client.bot_id: client for client in clients}
        if self._any in clients:
            senders[None] = self._any
        if not senders:
            return 0
        waiting = notices.due(list(senders), self._clock())
        chosen = notices.choices(waiting) if waiting else {}
        done = 0
        for notice in waiting:
            try:
                done += self._settle(senders[notice.bot_id], notice, chosen.get(notice.user_id))
            except Held:
                if self._wait(MOMENT):
                    break
            except (NeverSent, Ambiguous) as error:
                log.warning("notices wait: %s", error)
                break
            except Stopping:
                break
        return done

    def _settle(self, client: Client, notice: Notice, chosen: UserPreference | None) -> bool:
        """Send, drop or postpone one; whether there is one less. Raises what `offer` does."""
        at = self._clock()
        if notices.unwanted(notice, chosen):
            notices.drop(notice)
            return True
        if until := notices.quiet_until(chosen, at):
            notices.postpone(notice, until)
            return False
        return self._send(client, notice, at)

    def _send(self, client: Client, notice: Notice, at: datetime) -> bool:
        first, *rest = parts_of(notice)
        if rest:
            notices.divide(notice, [first, *rest])
            return True
        try:
            client.offer("sendMessage", {"chat_id": notice.user.telegram_id, **first})
        except (Ambiguous, ApiTelegramException) as error:
            code = getattr(error, "error_code", 500)
            if code >= 500 and notice.tries + 1 < TRIES:
                client.doubt("sendMessage", error)
                again = at + timedelta(seconds=min(LONGEST, 2.0**notice.tries))
                notices.postpone(notice, again, tries=notice.tries + 1)
                raise Ambiguous(f"sendMessage is tried again later: {error}") from error
            if code == 403 and any(words in str(error) for words in GONE):
                lose(notice.user)
            else:
                log.warning("a notice of %s could not be sent: %s", notice.category, error)
        notices.drop(notice)
        return True


def lose(user: User) -> None:
    """Note that a person has blocked the bot: nothing more is sent until they come back."""
    with db.atomic():
        users.set_status(user, Status.BLOCKED)
        analytics.track(EventType.USER_BLOCKED, user.id)


def parts_of(notice: Notice) -> list[dict[str, object]]:
    """The messages that a notice needs; the buttons are under the last."""
    params = dict(notice.params)
    if len(params["text"]) <= pieces.SHORT:
        return [params]
    text, mode = params.pop("text"), params.pop("parse_mode", None)
    marks, buttons = params.pop("entities", None), params.pop("reply_markup", None)
    parts: list[dict[str, object]] = [
        {name: value for name, value in part._asdict().items() if value}
        for part in pieces.split(text, parse_mode=mode, entities=marks)
    ]
    if buttons:
        parts[-1]["reply_markup"] = buttons
    return parts
