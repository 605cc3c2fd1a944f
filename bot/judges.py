"""The judges: each says in a sentence what it makes of an update, and whether that decides."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import redis

from bot import middleware, words
from bot.conversations import Open
from bot.imagined import Silent
from bot.lines import mask
from bot.middleware import Turn
from bot.throttle import Throttle, Verdict
from database import EPOCH
from models import Ban, Inbox
from services import pulse
from services.takeovers import EVERYWHERE, Takeovers, holder, name_of

if TYPE_CHECKING:
    from bot.dispatch import Dispatch
    from bot.registry import Registry
    from settings import Settings

BACKLOG = 100
"""Waiting updates of one chat that are counted."""


class Station(NamedTuple):
    """A place that an update comes by. When it decides, what comes after it is not asked."""

    name: str
    said: str
    decides: bool = False


def poller(turn: Turn, at: datetime) -> Station:
    """Whether any process fetches what is written to the bot."""
    bot_id = turn.item.bot_id
    found = pulse.poller(bot_id, at)
    if found is None or found.state == "stopped":
        return Station("Poller", "No process polls for this bot: start one, `python -m bot run`.")
    said = f"{found.place} polls for this bot; its last beat was {found.ago:.0f} s ago"
    if found.state == "silent":
        return Station("Poller", f"{said}: it has died, or cannot reach the database.")
    return Station("Poller", f"{said}.")


def may_be_unheard(turn: Turn) -> bool:
    """Whether Telegram may keep a message from the bot: in a group, and not by name to it."""
    chat = turn.ctx.chat
    if turn.item.kind != "message" or chat is None or chat.type not in ("group", "supergroup"):
        return False
    text: str = turn.ctx.event.text or ""
    return f"@{turn.ctx.runtime.username}".lower() not in text.lower()


def group() -> Station:
    """What Telegram gives a bot of a group."""
    said = (
        "Of a group Telegram gives the bot only commands that name it and replies to it, unless it"
        " is an admin there or its privacy mode is off."
    )
    return Station("Telegram", said)


def inbox(turn: Turn) -> Station:
    """Whether something of the chat waits before it."""
    waiting = (
        Inbox.select(Inbox.update_id)
        .where(
            Inbox.bot_id == turn.item.bot_id,
            Inbox.lane == turn.item.lane,
            Inbox.OPEN,
        )
        .limit(BACKLOG)
    )
    count = len(waiting)
    if not count:
        return Station("Inbox", "Nothing of this chat waits before it.")
    many = f"{count} or more" if count == BACKLOG else str(count)
    return Station(
        "Inbox", f"{many} updates of this chat come first; a slow handler holds them up."
    )


def person(turn: Turn) -> Station:
    """Who writes."""
    user = turn.ctx.sender
    if not user.id:
        return Station("Person", f"{user.telegram_id} is new and becomes known by this.")
    back = " They had blocked the bot and are back with this." if _is_back(turn) else ""
    return Station("Person", f"{user.name}, role {user.role}, status {user.status}.{back}")


def _is_back(turn: Turn) -> bool:
    return turn.user is not None and middleware.tells_blocked(turn, turn.user) is False


def ban(turn: Turn) -> Station:
    """Whether the person is banned."""
    if not middleware.is_banned(turn) or turn.user is None:
        return Station("Ban", "The person is not banned.")
    turn.outcome = "banned"
    row = Ban.get_or_none(Ban.user == turn.user.id)
    until = f" until {row.until:%Y-%m-%d %H:%M} UTC" if row and row.until else ""
    why = f": {row.reason}" if row and row.reason else ""
    said = f"The person is banned{until}{why}. Nothing is answered."
    return Station("Ban", said, decides=True)


def takeover(turn: Turn, takeovers: Takeovers) -> Station:
    """Whether somebody of the team answers in the chat, or everywhere."""
    bot_id, here = turn.item.bot_id, middleware.place_of(turn)
    if not takeovers.silent(bot_id, here):
        return Station("Takeover", "Nobody has taken the chat over.")
    turn.outcome = "silent"
    place = here if takeovers.taken(bot_id, here) else EVERYWHERE
    found = holder(bot_id, place)
    who = name_of(found) if found else "Somebody"
    what = "has paused the bot everywhere" if place == EVERYWHERE else "has taken the chat over"
    said = f"{who} {what}: the bot is silent until it is handed back."
    return Station("Takeover", said, decides=True)


def throttle(turn: Turn, tokens: Throttle | None, settings: Settings, at: datetime) -> Station:
    """Whether the person writes too fast."""
    user = middleware.throttled_user(turn)
    if not settings.throttle_rate or user is None:
        return Station("Throttle", "It is off.")
    limit = f"{settings.throttle_rate:g} a second, {settings.throttle_burst} at once"
    if tokens is None:
        said = (
            f"{limit}. What is used up of it only the bot's process knows; with REDIS_URL all do."
        )
        return Station("Throttle", said)
    try:
        ago = middleware.age(turn.item, (at - EPOCH).total_seconds())
        verdict = tokens.peek(user.telegram_id, ago)
    except redis.RedisError:
        return Station("Throttle", f"{limit}. Redis cannot be asked what is used up of it.")
    if verdict is Verdict.GO:
        return Station("Throttle", f"{limit}: not used up.")
    turn.outcome = "throttled"
    told = "They are told to wait." if verdict is Verdict.TELL else "They were told so already."
    return Station("Throttle", f"{limit}: used up. {told}", decides=True)


def conversation(turn: Turn, dispatch: Dispatch, opened: Open | None) -> Station:
    """Whether the message is an answer that the bot waits for."""
    if dispatch.cancels(turn):
        turn.outcome = "ok"
        what = f"the question of {opened.step} is dropped" if opened else "there is none"
        return Station("Conversation", f"/cancel ends it: {what}.", decides=True)
    if opened is None:
        return Station("Conversation", "Nothing was asked that this could answer.")
    if step := dispatch.step_for(turn, opened):
        dispatch.call(turn, step)
        said = f"{opened.step} asked something and takes this as the answer"
        return Station("Conversation", f"{said}.{_refused(turn)}", decides=True)
    if turn.ctx.command:
        return Station("Conversation", f"{opened.step} waits for an answer, which no command is.")
    plugin = opened.step.partition(".")[0]
    return Station("Conversation", f"{opened.step} waits, and {plugin} does not run here.")


def switch(turn: Turn, registry: Registry) -> Station:
    """Whose command or button it is, and whether that plugin is on."""
    ctx = turn.ctx
    chat = ctx.chat.id if ctx.chat else EVERYWHERE
    if ctx.command:
        found = registry.commands.get(ctx.command)
        name, what = (found.plugin if found else ""), f"/{ctx.command}"
    else:
        name, what = str(ctx.event.data).partition(":")[0], "The button"
        name = name if name in registry.plugins else ""
    if not name:
        return Station("Plugin", f"{what} belongs to no plugin.{_broken(registry)}")
    if not registry.on(name, EVERYWHERE):
        return Station("Plugin", f"{what} belongs to {name}, which is switched off everywhere.")
    if not registry.on(name, chat):
        return Station("Plugin", f"{what} belongs to {name}, which is switched off in this chat.")
    return Station("Plugin", f"{what} belongs to {name}, which is on.")


def _broken(registry: Registry) -> str:
    """Plugins that could not be loaded, whose it may be."""
    names = ", ".join(sorted(failure.name for failure in registry.failures))
    return f" These plugins are broken: {names}." if names else ""


def handler(turn: Turn, dispatch: Dispatch) -> Station:
    """Which handler fits first, and whether it would be let."""
    text = (getattr(turn.ctx.event, "text", None) or "") if turn.item.kind == "message" else ""
    other = words.meant_for(text, turn.ctx.runtime.username)
    head = f"The command is for @{other}, so it is read as a text. " if other else ""
    try:
        dispatch.find(turn)
    except Silent as error:
        turn.outcome = "unknown"
        return Station("Handler", f"{head}The filter of {turn.label} wants to know more: {error}.")
    except Exception as error:  # noqa: BLE001 - a plugin's filter raises what it likes
        turn.outcome = "error"
        said = f"{head}The filter of {turn.label} raises {type(error).__name__}: {mask(str(error))}"
        return Station("Handler", said, decides=True)
    if turn.handler is None:
        return Station("Handler", f"{head}No handler takes it: nothing is answered.", decides=True)
    said = f"{head}{turn.label} takes it.{_refused(turn)}"
    return Station("Handler", said, decides=True)


def _refused(turn: Turn) -> str:
    """Why a handler that fits does not run."""
    if turn.outcome == "denied" and turn.handler and turn.user:
        return f" It needs the role {turn.handler.role}, and they are {turn.user.role}: refused."
    if turn.outcome == "suspended" and turn.handler:
        return f" {turn.handler.plugin} is suspended, because it kept failing: it does not run."
    return ""
