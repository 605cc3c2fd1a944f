"""The postman: sends what the team wrote in the panel, each chat's in order, nothing twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from bot.client import Ambiguous, ApiTelegramException, Client, Held, NeverSent, Stopping
from bot.lease import Fenced, Lease
from bot.lines import mask
from bot.metrics import Metrics
from bot.notices import GONE, MOMENT, lose
from database import db
from models import Status
from services import outgoing
from services.messages import State
from staff import Message

log = logging.getLogger(__name__)

BLOCKED = "The person has blocked the bot: nothing reaches them until they let it in again."
STRANGER = "Telegram knows no such chat: the person has to write to this bot first."
NO_ANSWER = "Telegram gave no clear answer, so it may have arrived. Ask before you send it again."
CUT_OFF = (
    "The bot ended while it was being sent, so it may have arrived. Ask before you send it again."
)


class Vanished(Exception):
    """A message was erased, or taken by somebody else, before it went."""


class Postman:
    """Sends the messages of some bots, one at a time, and gives way to answers of the bot.

    It is written down that a message is about to go, and then what came of it. Found in between,
    after a crash, nobody can tell whether it arrived: it is unknown, and a person decides. `wait`
    waits so many seconds and says whether to end.
    """

    def __init__(
        self, leases: Mapping[int, Lease], wait: Callable[[float], bool], metrics: Metrics
    ) -> None:
        self._leases = leases
        self._wait = wait
        self._metrics = metrics
        self._known: dict[int, tuple[State, int | None, str | None]] = {}
        """What came of messages, until that is written down."""

    def step(self, clients: Sequence[Client]) -> int:
        """Send the oldest message of each chat, once over; the number that are done with."""
        senders = {client.bot_id: client for client in clients}
        if not senders:
            return 0
        self._write_down()
        done = 0
        for message in outgoing.waiting(senders):
            try:
                done += self._deliver(senders[message.bot_id], message)
            except Held:
                if self._wait(MOMENT):
                    break
            except NeverSent as error:
                log.warning("messages of the team wait: %s", error)
                break
            except (Stopping, Fenced):
                break
        return done

    def _deliver(self, client: Client, message: Message) -> bool:
        """Send one; whether it is done with. Raises what `offer` does when it is not."""
        if message.state == State.SENDING:
            return self._note(message, State.UNKNOWN, error=CUT_OFF)
        where = {"chat_id": message.chat_id, "text": message.text}
        begun: list[int] = []
        try:
            sent = client.offer("sendMessage", where, begin=lambda: self._begin(message, begun))
        except (Held, NeverSent, Stopping):
            if begun:
                self._note(message, State.QUEUED)
            raise
        except Vanished:
            return False
        except Ambiguous:
            return self._note(message, State.UNKNOWN, error=NO_ANSWER)
        except ApiTelegramException as error:
            return self._refused(message, error)
        return self._note(message, State.SENT, number=sent.get("message_id"))

    def _begin(self, message: Message, begun: list[int]) -> None:
        """Write down that it goes now, while this process is the one to send it."""
        with db.atomic():
            self._leases[message.bot_id].check()
            if not outgoing.begin(message.id):
                raise Vanished
        begun.append(message.id)

    def _refused(self, message: Message, error: ApiTelegramException) -> bool:
        if error.error_code >= 500:
            return self._note(message, State.UNKNOWN, error=NO_ANSWER)
        said = mask(str(error.description))
        if error.error_code == 403 and any(map(said.count, GONE)):
            if message.user and message.user.status == Status.ACTIVE:
                lose(message.user)
            said = BLOCKED
        elif "chat not found" in said:
            said = STRANGER
        else:
            said = f"Telegram refuses it: {said}"
        return self._note(message, State.FAILED, error=said)

    def _note(
        self,
        message: Message,
        state: State,
        *,
        number: int | None = None,
        error: str | None = None,
    ) -> bool:
        """Write down what came of it; when the database is away, that is done later."""
        if state is not State.QUEUED:
            self._metrics.team_messages(state.value).inc()
        self._known[message.id] = (state, number, error)
        self._write_down()
        return True

    def _write_down(self) -> None:
        for number, (state, at_telegram, error) in list(self._known.items()):
            outgoing.settle(number, state, number=at_telegram, error=error)
            del self._known[number]
