"""What every update passes before a plugin sees it, and on its way back."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bot import codec, letters
from bot.blame import blocked_by_user, is_excused, let_go
from bot.breaker import Breaker, Fault
from bot.client import ApiTelegramException, Client, Stopping
from bot.context import Context
from bot.hooks import interrupts, words_of
from bot.inbox import Item
from bot.lease import Fenced
from bot.ledger import Entry, Settled
from bot.lines import mask
from bot.logs import note
from bot.metrics import Metrics
from bot.plugin import Handler
from bot.raw import column_id
from bot.sending import Sending
from bot.throttle import GO, TELL, Throttle
from models import EventType, Status, User
from outages import is_outage
from services import failures, users
from services.takeovers import EVERYWHERE, Takeovers

log = logging.getLogger(__name__)

WAITS = 5
"""Outages in a row, with our own database there, after which it is the plugin's failure."""

KEPT = ("message", "edited_message", "channel_post")
"""What the team reads of a chat that it has taken over."""

BANNED, BLOCKED, COMMAND = Status.BANNED, Status.BLOCKED, EventType.COMMAND
THROTTLED = ("message", "callback_query", "inline_query", "edited_message", "business_message")
EVENTS = {
    "message": EventType.MESSAGE,
    "callback_query": EventType.CALLBACK,
    "inline_query": EventType.INLINE,
}


@dataclass(slots=True)
class Turn:
    """One update on its way through the middleware, and what came of it."""

    item: Item
    ctx: Context
    client: Client
    started: float = 0.0
    user: User | None = field(init=False)
    """The sender, from the database."""
    handler: Handler | None = None
    outcome: str = "ignored"
    reply: dict[str, Any] | None = None
    """The parameters of the message that the handler returned, which is sent after it."""
    sending: Sending | None = None
    """The reply on its way, when its first try did not end well."""
    events: list[tuple[str, int | None, dict[str, Any]]] = field(default_factory=list)
    failure: dict[str, Any] | None = None
    entry: Entry | None = None
    """Set when an atomic handler has committed its own bookkeeping."""

    def __post_init__(self) -> None:
        self.user = self.item.user

    @property
    def label(self) -> str:
        """Plugin and function of the handler, for metrics and logs."""
        return f"{self.handler.plugin}.{self.handler.name}" if self.handler else "none"


Step: TypeAlias = Callable[[Turn], None]


Middleware: TypeAlias = Callable[[Step], Step]
"""Given the rest of the way, one that does something before and after it, or does not go on."""


def chain(middlewares: Sequence[Middleware], end: Step) -> Step:
    """Wrap `end` so that the first middleware runs outermost."""
    for middleware in reversed(middlewares):
        end = middleware(end)
    return end


def record(metrics: Metrics) -> Callable[[Turn, float], None]:
    """Count and log an update that is over, with the seconds it took."""

    def write(turn: Turn, seconds: float) -> None:
        item, user, handler = turn.item, turn.user, turn.handler
        metrics.message(turn.label, turn.outcome, seconds)
        note(
            log,
            "bot_event_processed",
            {
                "bot_id": item.bot_id,
                "update_id": item.update_id,
                "kind": item.kind,
                "user_id": user.telegram_id if user else None,
                "plugin": handler.plugin if handler else None,
                "handler": handler.name if handler else None,
                "outcome": turn.outcome,
                "duration_ms": round(seconds * 1000, 2),
            },
        )

    return write


def know(step: Step) -> Step:
    """Note the event of a known user, and whether they blocked the bot or came back."""

    def run(turn: Turn) -> None:
        user, item = turn.user, turn.item
        if user is None:
            return step(turn)
        if (blocked := tells_blocked(turn, user)) is not None:
            _set_blocked(turn, user, blocked)
        if (kind := EVENTS.get(item.kind)) and not item.replayed:
            if command := turn.ctx.command:
                turn.events.append((COMMAND, user.id, {"command": command}))
            else:
                turn.events.append((kind, user.id, {}))
        step(turn)

    return run


def tells_blocked(turn: Turn, user: User) -> bool | None:
    """What an update says of a person's block: True, False (they are back), or None: nothing."""
    tells, was_blocked = turn.item.kind == "my_chat_member", user.status == BLOCKED
    if not (tells or was_blocked) or turn.item.lane != user.telegram_id:
        return None
    return tells and turn.ctx.event.new_chat_member.status in ("kicked", "left")


def _set_blocked(turn: Turn, user: User, blocked: bool) -> None:
    """Follow the user's block; a ban by the team stays."""
    if user.status == BANNED or blocked == (user.status == BLOCKED):
        return
    users.set_status(user, BLOCKED if blocked else Status.ACTIVE)
    event = EventType.USER_BLOCKED if blocked else EventType.USER_UNBLOCKED
    turn.events.append((event, user.id, {}))


def refuse_banned(step: Step) -> Step:
    """Banned people get nothing, not even an answer."""

    def run(turn: Turn) -> None:
        if not is_banned(turn):
            return step(turn)
        turn.outcome = "banned"
        turn.events.clear()

    return run


def is_banned(turn: Turn) -> bool:
    """Whether the team has banned the sender."""
    return turn.user is not None and turn.user.status == BANNED


def hush(takeovers: Takeovers) -> Middleware:
    """Where somebody of the team has taken over, nothing answers: what is written is kept for them.

    With the bot paused everywhere that is so of private chats; in groups it is only silent.
    """

    def pass_by(turn: Turn, here: int) -> None:
        item = turn.item
        turn.outcome = "silent"
        if item.kind == "callback_query":
            stop_spinner(turn)
        elif item.kind in KEPT and (here > 0 or takeovers.taken(item.bot_id, here)):
            user_id = turn.user.id if turn.user else None
            if kept := letters.letter(item.bot_id, here, user_id, turn.ctx.event):
                edited = item.kind == "edited_message"
                turn.ctx.effects.letters.append(kept._replace(kind="edited") if edited else kept)

    def before(step: Step) -> Step:
        def run(turn: Turn) -> None:
            if not takeovers.any or not takeovers.silent(turn.item.bot_id, place_of(turn)):
                return step(turn)
            pass_by(turn, place_of(turn))

        return run

    return before


def place_of(turn: Turn) -> int:
    """The chat that may be taken over; EVERYWHERE where there is none."""
    chat = turn.ctx.chat
    return (column_id(chat.id) if chat else None) or EVERYWHERE


def stop_spinner(turn: Turn) -> None:
    """Answer a button that nothing has answered; it may be too late, which is fine."""
    if turn.entry is None:
        try:
            turn.ctx.answer()
        except ApiTelegramException as error:
            log.debug("a button could not be answered: %s", error)


def limit(throttle: Throttle, unix: Callable[[], float]) -> Middleware:
    """Keep a user within rate and burst: one polite notice, then silence.

    `unix` gives the seconds of the epoch. A message counts from when it was sent, so that slow
    answers do not make a flood look slow.
    """

    def before(step: Step) -> Step:
        def run(turn: Turn) -> None:
            verdict = GO
            if (user := throttled_user(turn)) is not None:
                verdict = throttle.check(user.telegram_id, age(turn.item, unix()))
            if verdict is GO:
                turn.item.passed = True
                return step(turn)
            turn.outcome = "throttled"
            if verdict is TELL:
                say(turn, "Too many messages. Please wait a little.")

        return run

    return before


def throttled_user(turn: Turn) -> User | None:
    """The sender, when the throttle is to be asked about the update."""
    return turn.user if turn.item.kind in THROTTLED and not turn.item.passed else None


def age(item: Item, at: float) -> float:
    """Seconds from when an update was sent to `at`; 0 where nothing says when that was."""
    date = item.update[item.kind].get("date")
    if item.kind == "callback_query" or type(date) is not int:
        return 0.0
    return max(0.0, at - date)


def send(turn: Turn) -> None:
    """Send what the handler returned, or go on with it, and wait for the answer."""
    sending, turn.sending = turn.sending, None
    if sending is not None:
        turn.client.resume(sending)
    elif turn.reply is not None:
        turn.client.call("sendMessage", turn.reply)


def say(turn: Turn, text: str) -> None:
    """Tell the user one of the core's own sentences, as a toast where a button was tapped."""
    ctx = turn.ctx
    try:
        if turn.item.kind == "callback_query":
            ctx.answer(ctx._(text))
        elif ctx.chat is not None:
            ctx.send_text(ctx._(text))
    except Stopping:
        raise
    except Exception as error:  # noqa: BLE001 - the sentence is a courtesy, the update goes on
        log.warning("could not tell the user: %s", type(error).__name__)


def guard(
    metrics: Metrics, notify: Callable[[str], None], breaker: Breaker, *, clock: Callable[[], Any]
) -> Middleware:
    """The boundary: whatever a plugin raises ends here, is kept, is told once, and is counted.

    What is not the plugin's fault goes on: a stop, a lost lease, a database that is away.
    """

    def keep(turn: Turn, error: BaseException, *, excused: bool) -> None:
        turn.reply = None
        if blocked_by_user(error):
            return _follow_block(turn)
        metrics.error(type(error).__name__)
        failure = _take_down(turn, error)
        said = f"{turn.label}: {failure['error']}: {failure['message']}"
        if turn.handler is not None and not excused:
            breaker.fail(turn.handler.plugin, Fault(said, failure["traceback"]))
        if failures.notice_due(failure["fingerprint"], clock()):
            failure["noticed_at"] = clock()
            notify(said[:1000])
        say(turn, "Sorry, something went wrong. The owners have been told.")

    def before(step: Step) -> Step:
        def run(turn: Turn) -> None:
            try:
                step(turn)
            except BaseException as error:  # a plugin may raise asyncio.CancelledError
                goes_on = _goes_on(turn, error)
                excused = goes_on or is_excused(error)
                if excused and turn.handler is not None:
                    breaker.leave(turn.handler.plugin, well=False)
                if goes_on:
                    raise
                keep(turn, error, excused=excused)

        return run

    return before


def _take_down(turn: Turn, error: BaseException) -> dict[str, Any]:
    """Keep and log what a handler raised; give its failures row."""
    turn.outcome = "error"
    failure = turn.failure = failure_of(turn, error)
    let_go(error)
    about = {"update_id": turn.item.update_id, "handler": turn.label}
    log.error("a handler failed", exc_info=error, extra=about)
    return failure


def _follow_block(turn: Turn) -> None:
    turn.outcome = "blocked"
    if turn.user is not None and turn.item.lane == turn.user.telegram_id:
        _set_blocked(turn, turn.user, True)


def _goes_on(turn: Turn, error: BaseException) -> bool:
    """Whether the update is to be handled again, or by another process."""
    if isinstance(error, Stopping | Fenced | Settled) or interrupts(error):
        return True
    return is_outage(error) and turn.item.waits < WAITS


def failure_of(turn: Turn, error: BaseException) -> dict[str, Any]:
    """The failures row of an update whose handler raised."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{last[0].filename}:{last[0].lineno}" if last else ""
    name = type(error).__name__
    return {
        **describe(turn.item),
        "plugin": turn.handler.plugin if turn.handler else "",
        "handler": turn.handler.name if turn.handler else "",
        "error": name,
        "message": mask(words_of(error))[:1000],
        "traceback": mask("".join(traceback.format_exception(error)))[-20_000:],
        "fingerprint": hashlib.sha256(f"{turn.label}|{name}|{place}".encode()).hexdigest(),
        "chat_id": column_id(turn.ctx.chat.id) if turn.ctx.chat else None,
    }


def describe(item: Item) -> dict[str, Any]:
    """What a failures row says of the update itself."""
    return {
        "bot_id": item.bot_id,
        "update_id": item.update_id,
        "payload": codec.dumps(item.update),
        "user_id": item.user.telegram_id if item.user else None,
    }
