"""The explanation says what the bot then does, for each reason not to answer, and does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from bot.actors import Person, View
from bot.explain import Explainer, Explanation, Question
from bot.testing import ChatKit
from bot.throttle import Throttle
from database import Database
from models import AnalyticsEvent, Inbox, Lease, Role, Status, Suspension, User
from sandbox.cast import GROUP_ID
from services import users
from staff import TABLES, Admin, Takeover

PLUGINS = [Path(__file__).parent / "plugins"]
BOB = 1002


@pytest.fixture
def kit(database: Database) -> Iterator[ChatKit]:
    """The bot with the trial plugins, on each engine; it throttles."""
    with ChatKit(PLUGINS, database=database, THROTTLE_RATE="1", THROTTLE_BURST="3") as kit:
        kit.bob.send("/ping")
        kit.pass_time(minutes=1)
        yield kit


def ask(kit: ChatKit, text: str = "", *, chat: int = BOB, data: str | None = None) -> Explanation:
    """Explain what would become of what Bob writes or taps."""
    throttle = kit.core.throttle
    explainer = Explainer(kit.registry, kit.settings, throttle=throttle, clock=kit.clock)
    return explainer.explain(Question(kit.bot_id, BOB, chat, text, data))


def counted(kit: ChatKit) -> dict[tuple[str, str], float]:
    """How often each handler had each outcome, by the metrics."""
    families = kit.core.parts.metrics.registry.collect()
    samples = next(family for family in families if family.name == "bot_messages").samples
    return {
        (sample.labels["handler"], sample.labels["status"]): sample.value
        for sample in samples
        if sample.name.endswith("_total")
    }


def happened(kit: ChatKit, deed: Callable[[], object]) -> tuple[str, str]:
    """Handler and outcome of the one update that comes of a deed."""
    before = counted(kit)
    deed()
    changed = [key for key, value in counted(kit).items() if value != before.get(key, 0)]
    assert len(changed) == 1
    return changed[0]


def contents() -> list[list[dict[str, Any]]]:
    """Every row of every table of the core."""
    kept = [model for model in TABLES if model is not Lease]
    rows: list[list[dict[str, Any]]] = [[*model.select().dicts()] for model in kept]
    return [sorted(each, key=repr) for each in rows]


def agreed(kit: ChatKit, text: str, place: View | None = None) -> Explanation:
    """Explain a message, see that nothing is done, then send it: what was said comes true."""
    before, calls = contents(), len(kit.telegram.feed(0))
    said = ask(kit, text, chat=place.id if place else BOB)
    assert (contents(), len(kit.telegram.feed(0))) == (before, calls)
    who: Person = kit.bob
    sent = happened(kit, lambda: who.send(text, to=place) if place else who.send(text))
    assert (said.handler, said.outcome) == sent
    return said


def last(said: Explanation) -> tuple[str, str]:
    """The station that decides."""
    assert [station.decides for station in said.stations].count(True) <= 1
    return said.stations[-1].name, said.stations[-1].said


@pytest.mark.parametrize(
    ("text", "outcome", "handler"),
    [
        ("/ping", "ok", "trial.ping"),
        ("/P x", "ok", "trial.ping"),
        ("/ping@sandbox_bot", "ok", "trial.ping"),
        ("/ping@another_bot", "ok", "trial.rest"),
        ("/nothing", "ok", "trial.rest"),
        ("hello", "ok", "trial.rest"),
        ("/secret", "denied", "trial.secret"),
        ("/cancel", "ok", "none"),
        ("/old", "ok", "oldstyle.old"),
        ("odd", "error", "trial.odd"),
    ],
)
def test_a_message_is_taken_by_whom_the_explanation_names(
    kit: ChatKit, text: str, outcome: str, handler: str
) -> None:
    """Commands, other bots' and unknown ones, roles, last resorts, modules, failing filters."""
    said = agreed(kit, text)
    assert (said.outcome, said.handler) == (outcome, handler)


def test_the_reasons_are_given_in_words(kit: ChatKit) -> None:
    """What decides is the last that is said, in a sentence."""
    assert last(ask(kit, "/secret")) == (
        "Handler",
        "trial.secret takes it. It needs the role admin, and they are user: refused.",
    )
    assert last(ask(kit, "/ping@another_bot"))[1].startswith("The command is for @another_bot")
    assert "ZeroDivisionError" in last(ask(kit, "odd"))[1]
    names = [station.name for station in ask(kit, "/nothing").stations]
    expected = ["Poller", "Inbox", "Person", "Ban", "Takeover", "Throttle", "Conversation"]
    assert names == [*expected, "Plugin", "Handler"]
    assert ask(kit, "/nothing").stations[-2].said == "/nothing belongs to no plugin."


def test_a_banned_person(kit: ChatKit) -> None:
    """Banned people get nothing; why and until when is said."""
    user, owner = User.get(telegram_id=BOB), User.get_or_none(telegram_id=1001)
    owner = owner or User.create(telegram_id=1001, first_name="Alice", role=Role.OWNER)
    users.ban(user, by=owner, until=kit.clock() + timedelta(days=2), reason="spam")
    said = agreed(kit, "/ping")
    assert said.outcome == "banned" and "UTC: spam. Nothing is answered." in last(said)[1]


def test_a_person_who_had_blocked_the_bot(kit: ChatKit) -> None:
    """Writing ends a block, so the message is answered; the explanation itself ends nothing."""
    users.set_status(User.get(telegram_id=BOB), Status.BLOCKED)
    said = agreed(kit, "/ping")
    assert said.outcome == "ok" and "are back" in said.stations[2].said
    assert User.get(telegram_id=BOB).status == Status.ACTIVE


@pytest.mark.parametrize("here", [False, True], ids=["everywhere", "in the chat"])
def test_a_plugin_that_is_off(kit: ChatKit, here: bool) -> None:
    """A command of a plugin that is off is nobody's; where it is off is said."""
    kit.switches.set("trial", False, BOB if here else 0)
    said = agreed(kit, "/ping")
    where = "in this chat" if here else "everywhere"
    assert (said.outcome, said.handler) == ("ignored", "none")
    assert said.stations[-2].said == f"/ping belongs to trial, which is switched off {where}."
    assert last(said)[1] == "No handler takes it: nothing is answered."


def test_a_plugin_that_is_suspended(kit: ChatKit) -> None:
    """The circuit breaker's word counts, from the table."""
    Suspension.create(
        plugin="trial",
        until=kit.clock() + timedelta(minutes=5),
        times=1,
        failure="x",
        traceback="",
    )
    kit.core.breaker.refresh()
    said = agreed(kit, "/ping")
    assert said.outcome == "suspended" and "it kept failing" in last(said)[1]
    assert agreed(kit, "hello").outcome == "ignored"


def test_a_conversation(kit: ChatKit) -> None:
    """An answer goes to the step that asked, a command does not, and a question ends in time."""
    kit.bob.send("/ask")
    said = agreed(kit, "/ping")
    assert said.handler == "trial.ping" and "waits for an answer" in said.stations[6].said
    assert "is dropped" in last(ask(kit, "/cancel"))[1]
    said = agreed(kit, "Bob")
    assert said.handler == "trial.named" and last(said)[0] == "Conversation"
    kit.pass_time(seconds=9)
    kit.bob.send("/ask")
    kit.switches.set("trial", False)
    assert "trial does not run here" in agreed(kit, "Bob").stations[6].said
    kit.switches.set("trial", True)
    kit.pass_time(minutes=10)
    assert agreed(kit, "Bob").handler == "trial.rest"


def test_a_person_who_writes_too_fast(kit: ChatKit) -> None:
    """The tokens are looked at and not taken: asked again and again they stay."""
    for _ in range(10):
        assert ask(kit, "hello").outcome == "ok"
    for _ in range(3):
        agreed(kit, "hello")
    said = agreed(kit, "hello")
    assert said.outcome == "throttled" and "They are told to wait." in last(said)[1]
    assert "told so already" in last(agreed(kit, "hello"))[1]
    kit.pass_time(seconds=2)
    assert agreed(kit, "hello").outcome == "ok"


def test_a_chat_that_was_taken_over(kit: ChatKit) -> None:
    """The bot is silent in a chat that somebody of the team has, and everywhere when it paused."""
    admin = Admin.create(name="ada")
    taken = Takeover.create(bot_id=kit.bot_id, chat_id=BOB, admin=admin)
    kit.core.takeovers.refresh()
    said = agreed(kit, "/ping")
    assert said.outcome == "silent" and "ada has taken the chat over" in last(said)[1]
    assert agreed(kit, "/ping@sandbox_bot", kit.group).outcome == "ok"
    Takeover.update(chat_id=0).where(Takeover.id == taken.id).execute()
    kit.core.takeovers.refresh()
    said = agreed(kit, "/ping@sandbox_bot", kit.group)
    assert said.outcome == "silent" and "paused the bot everywhere" in last(said)[1]
    Takeover.update(bot_id=5).execute()
    kit.core.takeovers.refresh()
    assert agreed(kit, "/ping").outcome == "ok"


def test_a_message_in_a_group(kit: ChatKit) -> None:
    """A chat is what the table says it is, and its switches are its own."""
    assert agreed(kit, "/ping@sandbox_bot", kit.group).handler == "trial.ping"
    kit.switches.set("trial", False, GROUP_ID)
    assert agreed(kit, "/ping@sandbox_bot", kit.group).outcome == "ignored"
    assert "privacy mode" in ask(kit, "/ping", chat=GROUP_ID).stations[1].said
    assert [s.name for s in ask(kit, "/ping@sandbox_bot", chat=GROUP_ID).stations][1] == "Inbox"


@pytest.mark.parametrize(
    ("data", "handler", "outcome"),
    [
        ("trial:go", "trial.go", "ok"),
        ("trial:stay", "trial.stay", "ok"),
        ("trial:nothing", "none", "ignored"),
        ("unheard:of", "none", "ignored"),
        ("", "none", "ignored"),
    ],
)
def test_the_tap_of_a_button(kit: ChatKit, data: str, handler: str, outcome: str) -> None:
    """A button is found by the plugin's name and the beginning of its data."""
    said = ask(kit, data=data)
    assert (said.handler, said.outcome) == (handler, outcome)
    update = {
        "callback_query": {
            "id": "1",
            "from": kit.bob.user,
            "chat_instance": "1",
            "data": data,
            "message": {
                "message_id": 1,
                "date": 1,
                "chat": {"id": BOB, "type": "private", "first_name": "Bob"},
                "text": "x",
            },
        },
    }
    assert happened(kit, lambda: kit.push(update)) == (handler, outcome)


def test_somebody_new(kit: ChatKit) -> None:
    """Who never wrote is explained too, and does not become known by that."""
    explainer = Explainer(kit.registry, kit.settings, clock=kit.clock)
    said = explainer.explain(Question(kit.bot_id, 77, 77, "/ping"))
    assert said.outcome == "ok" and "77 is new" in said.stations[2].said
    assert "only the bot's process knows" in said.stations[5].said
    assert User.get_or_none(telegram_id=77) is None


def test_an_owner_by_the_settings_may_all(kit: ChatKit) -> None:
    """Whoever OWNER_IDS names is an owner with the next update."""
    explainer = Explainer(kit.registry, kit.settings, clock=kit.clock)
    assert explainer.explain(Question(kit.bot_id, 1001, 1001, "/secret")).outcome == "ok"


def test_a_bot_that_nobody_runs_and_a_chat_that_waits(kit: ChatKit) -> None:
    """The explanation begins with what keeps an update from being handled at all."""
    explainer = Explainer(kit.registry, kit.settings, clock=kit.clock)
    said = explainer.explain(Question(5, BOB, BOB, "/ping"))
    assert "start one" in said.stations[0].said
    Inbox.create(bot_id=kit.bot_id, update_id=1, lane=BOB, kind="message", state="new")
    assert "1 updates of this chat come first" in ask(kit, "/ping").stations[1].said
    kit.pass_time(minutes=1)
    assert "it has died" in ask(kit, "/ping").stations[0].said


def test_a_filter_that_writes_or_calls_is_stopped(database: Database, tmp_path: Path) -> None:
    """A plugin's own filter runs, since only it knows what it takes; it can do no harm."""
    (tmp_path / "nosy.py").write_text(
        '"""Look around."""\n\nfrom bot import Context, Plugin\n'
        "from models import AnalyticsEvent\n\n"
        "plugin = Plugin(__name__)\n\n\n"
        "def writes(message):\n"
        "    if message.text == 'write':\n"
        "        AnalyticsEvent.create(event_type='x')\n"
        "    if message.text == 'call':\n"
        "        message.turn.ctx.bot.get_chat_member_count(message.chat.id)\n"
        "    return True\n\n\n"
        "@plugin.on('message', func=writes)\n"
        "def take(ctx: Context) -> str:\n"
        "    return 'taken'\n"
    )
    with ChatKit([tmp_path], database=database) as kit:
        assert ask(kit, "hello").handler == "nosy.take"
        assert ask(kit, "write").outcome == "error"
        said = ask(kit, "call")
        assert said.outcome == "unknown" and "getChatMemberCount" in said.stations[-1].said
        assert AnalyticsEvent.select().where(AnalyticsEvent.event_type == "x").count() == 0
        users.set_source(User.create(telegram_id=5, first_name="E"), "writes are free again")


def test_tokens_in_redis_are_looked_at_and_not_taken(redis_url: str) -> None:
    """What all processes share is read by the one that explains."""
    store = redis.Redis.from_url(redis_url)
    throttle = Throttle(0.001, 2, store=store)
    looks = [throttle.peek(7) for _ in range(5)]
    takes = [throttle.check(7) for _ in range(4)]
    assert looks == [0] * 5 and takes == [0, 0, 1, 2] and throttle.peek(7) == 2
    store.close()
