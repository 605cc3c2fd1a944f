"""The context: what it says of an update, and what it calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from telebot import types
from telebot.apihelper import ApiTelegramException

from bot import Context, Plugin
from bot.context import Runtime
from bot.conversations import Open
from bot.i18n import Catalogues
from bot.outbox import Outbox
from bot.registry import Registry
from bot.rules import DeclarationError
from models import Language, Role, User
from services.cache import open_cache
from tests.bot.scripted import MESSAGE, Desk, ok, refusal

NOW = datetime.fromisoformat("2026-01-02 03:04:05")
PRIVATE = {"id": 7, "type": "private", "first_name": "Bob"}
GROUP = {"id": -9, "type": "supergroup", "title": "Team"}
BOB = {"id": 7, "is_bot": False, "first_name": "Bob"}

plugin = Plugin("notes")


@plugin.command("note")
def note(ctx: Context) -> None:
    """Keep a note."""


@plugin.command("ban", role="admin")
def ban(ctx: Context) -> None:
    """Ban somebody."""


@plugin.step
def save(ctx: Context) -> None: ...


@plugin.on("callback_query", data="del:")
def delete(ctx: Context) -> None: ...


@plugin.on("message", regexp=r"buy (\w+)")
def buy(ctx: Context) -> None: ...


class World:
    """Contexts of a bot whose calls a test sees."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.told: list[User] = []
        self.registry = Registry()
        self.registry.add(plugin)
        self.user = User(
            id=1, telegram_id=7, first_name="Bob", language=Language.RU, role=Role.USER
        )
        self.runtime = Runtime(
            caller=self.desk.client,
            bot_id=42,
            username="Steady_Bot",
            catalogues=Catalogues([Path("locales")]),
            default_language="en",
            owner_ids=frozenset(),
            registry=self.registry,
            cache=open_cache(None),
            clock=lambda: NOW,
            tell_menu=lambda caller, user: self.told.append(user),
        )

    def ctx(self, kind: str, event: dict[str, Any], handler: int = 0) -> Context:
        update = types.Update.de_json({"update_id": 1, kind: event})  # type: ignore[no-untyped-call]
        ctx = Context(self.runtime, update, kind, getattr(update, kind), self.user)
        ctx.handler = plugin.handlers[handler]
        return ctx

    def message(self, text: str | None, chat: dict[str, Any] = PRIVATE, **more: Any) -> Context:
        event = {"message_id": 3, "date": 1, "chat": chat, "from": BOB, **more}
        return self.ctx("message", event if text is None else {**event, "text": text})

    def tap(self, data: str, **more: Any) -> Context:
        message = {"message_id": 3, "date": 1, "chat": PRIVATE, "text": "old"}
        event = {"id": "q1", "from": BOB, "chat_instance": "1", "data": data, "message": message}
        return self.ctx("callback_query", event | more, handler=2)

    def plan(self, *steps: Any) -> None:
        self.desk.plan(*steps)

    @property
    def calls(self) -> list[tuple[str, dict[str, str]]]:
        return [(method, fields) for method, fields, _ in self.desk.wire.calls]


@pytest.fixture
def world() -> World:
    return World()


# What came


@pytest.mark.parametrize(
    ("text", "command", "rest"),
    [
        ("/note buy  milk", "note", "buy  milk"),
        ("/NOTE x", "note", "x"),
        ("/note@steady_bot x", "note", "x"),
        ("/start ref_5", "start", "ref_5"),
        ("/note\nbuy", "note", "buy"),
        ("/note", "note", ""),
        ("/note@other_bot x", None, "/note@other_bot x"),
        ("/note-5", None, "/note-5"),
        ("/", None, "/"),
        ("tell /note", None, "tell /note"),
        ("/заметка", None, "/заметка"),
    ],
)
def test_a_command_and_its_text(world: World, text: str, command: str | None, rest: str) -> None:
    """The command is ours, in small letters; the text is what follows it."""
    ctx = world.message(text)
    assert (ctx.command, ctx.text, ctx.args) == (command, rest, rest.split())


def test_a_caption_is_text_and_no_command(world: World) -> None:
    """What is written under a photo is said too."""
    ctx = world.message(None, caption="/note this")
    assert (ctx.command, ctx.text) == (None, "/note this")
    assert world.message(None).text == ""


def test_buttons_data_is_without_the_plugins_name(world: World) -> None:
    """The data keeps the handler's prefix, the text is what follows it."""
    ctx = world.tap("notes:del:5 6")
    assert ctx.command is None
    assert not ctx.match_data("other", None)
    assert not ctx.match_data("notes", "add:")
    assert ctx.match_data("notes", "del:")
    assert (ctx.data, ctx.text, ctx.args, ctx.matched) == ("del:5 6", "5 6", ["5", "6"], "del:")
    assert ctx.message is not None and ctx.message.text == "old"
    assert ctx.chat is not None and ctx.chat.id == 7


def test_a_button_without_data_matches_nothing(world: World) -> None:
    """A game's button has no data."""
    ctx = world.tap("")
    assert (ctx.data, ctx.text, ctx.match_data("notes")) == ("", "", False)


def test_the_match_of_a_regexp(world: World) -> None:
    """The match of the handler's regexp is at hand, with its groups."""
    ctx = world.message("please Buy milk")
    ctx.handler = plugin.handlers[3]
    assert not isinstance(ctx.matched, str) and ctx.matched[1] == "milk"
    assert world.message("buy").matched == ""


def test_kinds_without_a_message(world: World) -> None:
    """An inline query has text and no chat; a membership has a chat and no message."""
    ctx = world.ctx("inline_query", {"id": "1", "from": BOB, "query": "cats", "offset": ""})
    assert (ctx.text, ctx.command, ctx.message, ctx.chat) == ("cats", None, None, None)
    member = {"user": BOB, "status": "member"}
    event = {"chat": GROUP, "from": BOB, "date": 1}
    event |= {"old_chat_member": member, "new_chat_member": member}
    ctx = world.ctx("my_chat_member", event)
    assert ctx.chat_id == -9 and ctx.message is None and ctx.text == ""


def test_the_sender_where_there_must_be_one(world: World) -> None:
    """A command has a sender; where there is none the sentence says so."""
    ctx = world.message("hi")
    assert ctx.sender is world.user
    ctx.user = None
    with pytest.raises(RuntimeError, match=r"message has no sender: look at ctx.user"):
        _ = ctx.sender


def test_the_language_and_its_texts(world: World) -> None:
    """Texts come in the user's language, or in the default where nobody is known."""
    ctx = world.message("hi")
    assert (ctx.lang, ctx._("Cancelled."), ctx._("Unheard of")) == ("ru", "Отменено.", "Unheard of")
    plural = ("{count} person came by it.", "{count} people came by it.")
    assert ctx.ngettext(*plural, 3).format(count=3) == "По ней пришли 3 человека."
    assert ctx._("") == ""
    ctx.user = None
    assert (ctx.lang, ctx._("Cancelled.")) == ("en", "Cancelled.")


def test_the_log_names_the_plugin_and_the_update(world: World) -> None:
    """Every line of a handler carries what it is about."""
    log = world.message("hi").log
    assert log.logger.name == "plugins.notes"
    assert log.extra == {"update_id": 1, "user_id": 7, "plugin": "notes"}


def test_commands_by_role_and_switch(world: World) -> None:
    """A user sees the commands of their role, of the plugins that are on in the chat."""
    ctx = world.message("/help")
    assert [command.name for command in ctx.commands] == ["note"]
    world.user.role = Role.OWNER
    assert [command.name for command in ctx.commands] == ["note", "ban"]
    world.registry.bind(lambda name, chat: chat != 7, lambda plugin, key, default: default)
    assert ctx.commands == []
    assert world.message("/help", GROUP).commands != []


def test_a_link_carries_a_payload(world: World) -> None:
    """Only what Telegram lets through."""
    assert world.message("x").link("ref_7") == "https://t.me/Steady_Bot?start=ref_7"
    with pytest.raises(ValueError, match="cannot be in a link: use 1 to 64"):
        world.message("x").link("a b")


def test_what_the_services_offer(world: World) -> None:
    """People, statistics and the cache are at hand without an import."""
    ctx = world.message("x")
    assert callable(ctx.users.refer) and callable(ctx.analytics.statistics)
    assert ctx.cache.remember("k", lambda: 5) == 5


# What is sent


def test_a_reply_goes_to_the_chat(world: World) -> None:
    """It gives the message, takes telebot's options and rows of buttons."""
    world.plan(ok(MESSAGE))
    buttons = [[("Yes", "yes:1"), ("Site", "https://example.org")]]
    sent = world.message("hi").reply(
        "<b>ho</b>", buttons=buttons, parse_mode="HTML", disable_notification=True
    )
    assert sent.message_id == 5
    ((method, fields),) = world.calls
    assert (method, fields["chat_id"], fields["text"]) == ("sendMessage", "7", "<b>ho</b>")
    assert fields["parse_mode"] == "HTML" and fields["disable_notification"] in {"True", "true"}
    assert json.loads(fields["reply_markup"])["inline_keyboard"] == [
        [
            {"text": "Yes", "callback_data": "notes:yes:1"},
            {"text": "Site", "url": "https://example.org"},
        ]
    ]
    assert "message_thread_id" not in fields


def test_a_reply_stays_in_its_topic_and_account(world: World) -> None:
    """The thread of a forum, and the business connection; a mere thread of replies is none."""
    world.plan(ok(MESSAGE), ok(MESSAGE), ok(MESSAGE))
    world.message("hi", GROUP, message_thread_id=4, is_topic_message=True).reply("a")
    world.message("hi", GROUP, message_thread_id=4).send_text("b")
    event = {"message_id": 3, "date": 1, "chat": PRIVATE, "from": BOB, "text": "hi"}
    world.ctx("business_message", {**event, "business_connection_id": "c"}).send_text("c")
    places = [fields for _, fields in world.calls]
    assert places[0]["message_thread_id"] == "4"
    assert places[1] == {"chat_id": "-9", "text": "b"}
    assert places[2] == {"chat_id": "7", "business_connection_id": "c", "text": "c"}


def test_a_reply_needs_a_chat(world: World) -> None:
    """Without one the sentence names the kind and the way out."""
    ctx = world.ctx("inline_query", {"id": "1", "from": BOB, "query": "x", "offset": ""})
    sends: list[Callable[[str], object]] = [ctx.reply, ctx.send_text, ctx.edit]
    for send in sends:
        with pytest.raises(RuntimeError, match=r"inline_query has no chat: use ctx.bot"):
            send("x")


def test_too_much_button_data_is_refused(world: World) -> None:
    """64 bytes with the plugin's name, then the remedy."""
    with pytest.raises(DeclarationError, match=r"has 65 bytes .* keep the rest in a table"):
        world.message("x").reply("x", buttons=[[("A", "x" * 59)]])


def test_an_atomic_handler_gets_no_answers(world: World) -> None:
    """With an outbox for a caller everything is recorded and gives None."""
    ctx = world.tap("notes:del:1")
    outbox = Outbox(world.desk.client)
    ctx.caller = outbox
    assert ctx.reply("a") is None
    ctx.send_text("b")
    assert ctx.edit("c") is None
    ctx.answer("d")
    ctx.ask("e", then=save)
    assert [method for method, _ in outbox.calls] == [
        "sendMessage",
        "sendMessage",
        "editMessageText",
        "answerCallbackQuery",
        "sendMessage",
    ]
    assert world.calls == []


def test_an_edit_changes_the_tapped_message(world: World) -> None:
    """Text and buttons are new."""
    world.plan(ok(MESSAGE))
    changed = world.tap("notes:x").edit("new", buttons=[[("A", "a")]])
    assert isinstance(changed, types.Message) and changed.message_id == 5
    ((method, fields),) = world.calls
    assert (method, fields["message_id"], fields["text"]) == ("editMessageText", "3", "new")
    assert "notes:a" in fields["reply_markup"]


def test_an_edit_of_a_photo_changes_its_caption(world: World) -> None:
    """A message with media has a caption instead of a text."""
    world.plan(ok(MESSAGE))
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    message = {"message_id": 3, "date": 1, "chat": PRIVATE, "photo": photo}
    world.tap("notes:x", message=message).edit("new")
    assert world.calls[0][0] == "editMessageCaption" and world.calls[0][1]["caption"] == "new"


def test_an_edit_of_an_inline_message(world: World) -> None:
    """A message that was sent by way of the bot has an id of its own kind."""
    event = {"id": "q1", "from": BOB, "chat_instance": "1", "data": "notes:x"}
    world.ctx("callback_query", {**event, "inline_message_id": "i1"}).edit("new")
    assert world.calls[0] == ("editMessageText", {"text": "new", "inline_message_id": "i1"})


OLD = {"message_id": 3, "date": 0, "chat": PRIVATE}


@pytest.mark.parametrize("make", [lambda w: w.message("hi"), lambda w: w.tap("x", message=OLD)])
def test_an_edit_without_a_message_to_change_sends_one(
    world: World, make: Callable[[World], Context]
) -> None:
    """After a command, or when the message is too old to be reached."""
    world.plan(ok(MESSAGE))
    make(world).edit("new")
    assert [method for method, _ in world.calls] == ["sendMessage"]


def test_an_edit_that_comes_too_late_sends_another(world: World) -> None:
    """The message was deleted meanwhile, or may not be edited any more."""
    for text in ("message to edit not found", "message can't be edited"):
        world.plan(refusal(400, f"Bad Request: {text}"), ok(MESSAGE))
        world.tap("notes:x").edit("new")
    assert [method for method, _ in world.calls] == ["editMessageText", "sendMessage"] * 2


def test_an_edit_that_changes_nothing_is_fine(world: World) -> None:
    """Two taps on one button are no mistake; another refusal is one."""
    same = "Bad Request: message is not modified: specified new message content and reply markup"
    world.plan(refusal(400, same), refusal(400, "Bad Request: can't parse entities"))
    assert world.tap("notes:x").edit("new") is None
    with pytest.raises(ApiTelegramException, match="parse entities"):
        world.tap("notes:x").edit("<")


def test_an_answer_is_a_toast_or_a_box(world: World) -> None:
    """The core is told that the button is answered; a message cannot be."""
    ctx = world.tap("notes:x")
    answered = [ctx.effects.answered]
    ctx.answer("Done")
    ctx.answer("Sure?", alert=True)
    ctx.answer()
    assert [*answered, ctx.effects.answered] == [False, True]
    assert [fields for _, fields in world.calls] == [
        {"callback_query_id": "q1", "text": "Done"},
        {"callback_query_id": "q1", "text": "Sure?", "show_alert": "true"},
        {"callback_query_id": "q1"},
    ]
    with pytest.raises(RuntimeError, match=r"answer.. is for buttons and queries: use reply"):
        world.message("x").answer()


def test_a_question_opens_a_conversation(world: World) -> None:
    """Its step by full name, its data, and until when."""
    world.plan(ok(MESSAGE))
    ctx = world.message("hi")
    assert ctx.ask("Which?", then=save, data={"n": 1}, timeout=60).message_id == 5
    assert ctx.effects.conversation == Open("notes.save", {"n": 1}, NOW + timedelta(seconds=60))
    assert "reply_markup" not in world.calls[0][1]
    for name in ("save", "notes.save"):
        world.plan(ok(MESSAGE))
        ctx.ask("Which?", then=name)
        assert ctx.effects.conversation == Open("notes.save", {}, NOW + timedelta(seconds=600))


def test_a_question_in_a_group_asks_for_a_reply(world: World) -> None:
    """A bot that does not see all messages sees replies; buttons take their place."""
    world.plan(ok(MESSAGE), ok(MESSAGE))
    ctx = world.message("hi", GROUP)
    ctx.ask("Which?", then=save)
    ctx.ask("Which?", then=save, buttons=[[("A", "a")]])
    first, second = (fields for _, fields in world.calls)
    assert json.loads(first["reply_markup"]) == {"force_reply": True, "selective": True}
    assert json.loads(first["reply_parameters"])["message_id"] == 3
    assert "inline_keyboard" in second["reply_markup"] and "reply_parameters" not in second


def test_a_question_offers_choices(world: World) -> None:
    """A keyboard that goes away when it was used; in a group for the one who is asked."""
    world.plan(ok(MESSAGE), ok(MESSAGE))
    for ctx in (world.message("hi"), world.message("hi", GROUP)):
        ctx.ask("Which?", then=save, choices=["Tea", "Coffee"])
    private, group = (fields for _, fields in world.calls)
    keyboard = json.loads(private["reply_markup"])
    assert keyboard["keyboard"] == [[{"text": "Tea"}], [{"text": "Coffee"}]]
    assert keyboard["one_time_keyboard"] and keyboard["selective"]
    assert "reply_parameters" not in private and group["reply_markup"] == private["reply_markup"]
    assert json.loads(group["reply_parameters"])["message_id"] == 3


def test_a_question_that_cannot_be_put_is_not_sent(world: World) -> None:
    """No such step, data that is no JSON, nobody to ask: said before anything is sent."""
    ctx = world.message("hi")
    with pytest.raises(LookupError, match=r"notes.note is no step: put @plugin.step above"):
        ctx.ask("Which?", then=note)
    with pytest.raises(TypeError, match="JSON serializable"):
        ctx.ask("Which?", then=save, data={"when": NOW})
    ctx.user = None
    with pytest.raises(RuntimeError, match="There is nobody to ask"):
        ctx.ask("Which?", then=save)
    assert world.calls == [] and ctx.effects.conversation is None


def test_events_wait_for_the_commit(world: World) -> None:
    """Tracking only notes; the core writes with the done mark."""
    ctx = world.message("hi")
    ctx.track("bought", what="milk")
    assert ctx.effects.events == [("bought", {"what": "milk"})]
    with pytest.raises(ValueError, match="name it with 1 to 64 letters"):
        ctx.track("x" * 65)


def test_speaking_another_language_tells_the_menu(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A language that the bot does not speak is refused."""
    chosen: list[Language] = []
    monkeypatch.setattr(
        "services.users.set_language", lambda user, language: chosen.append(language)
    )
    world.message("hi").speak("en")
    assert (chosen, world.told) == ([Language.EN], [world.user])
    with pytest.raises(DeclarationError, match="'es' is no language: did you mean 'en'"):
        world.message("hi").speak("es")
