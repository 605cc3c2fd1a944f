"""What a plugin may declare, and the sentence for what it may not."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bot import Context, Plugin
from bot.control import parse
from bot.registry import Registry
from bot.rules import KINDS, MASK, DeclarationError
from models import Role


@pytest.fixture
def plugin() -> Plugin:
    return Plugin("steadygram_plugins.notes")


def handle(ctx: Context) -> str:
    """Do something."""
    return "done"


def other(ctx: Context) -> None:
    """Do another thing.

    With more to say about it.
    """


def wordless(ctx: Context) -> None: ...


def without_ctx() -> None:
    """Take nothing."""


def with_more(ctx: Context, more: int) -> None:
    """Take too much."""


def with_stars(*ctx: Context) -> None:
    """Take anything."""


def with_word(*, ctx: Context) -> None:
    """Take a keyword."""


async def coroutine(ctx: Context) -> None:
    """Run later."""


def verbose(ctx: Context) -> None: ...


verbose.__doc__ = "x" * 257


def test_a_command_is_recorded_and_the_function_stays(plugin: Plugin) -> None:
    """The decorator gives the function back; names, help, role and atomic are kept."""
    assert plugin.command("note", "n", role="admin", atomic=True)(other) is other
    (handler,) = plugin.handlers
    assert (handler.plugin, handler.name, handler.func) == ("notes", "other", other)
    assert handler.kind == "message" and handler.atomic and handler.role is Role.ADMIN
    assert handler.command is plugin.commands[0]
    command = plugin.commands[0]
    assert (command.name, command.aliases) == ("note", ("n",))
    assert (command.help, command.role) == ("Do another thing.", Role.ADMIN)


def test_the_name_is_the_files_and_the_description_its_docstring() -> None:
    """Of a module's dotted name the last part counts."""
    plugin = Plugin(__name__)
    assert plugin.name == "test_plugin"
    assert plugin.description == "What a plugin may declare, and the sentence for what it may not."
    assert Plugin("nowhere").description == ""


def test_messages_are_texts_unless_said_otherwise(plugin: Plugin) -> None:
    """A kind that is a message has content_types ["text"] by default; other kinds have none."""
    plugin.on("message")(handle)
    plugin.on("edited_message", content_types=["photo"], regexp="a|b")(handle)
    plugin.on("inline_query", func=bool)(handle)
    plugin.on("callback_query", data="del:", last=True, role="owner")(handle)
    found = [dict(handler.filters) for handler in plugin.handlers]
    assert found[0] == {"content_types": ["text"]}
    assert found[1] == {"content_types": ["photo"], "regexp": "a|b"}
    assert found[2:] == [{"func": bool}, {"data": "del:"}]
    assert plugin.handlers[3].last and plugin.handlers[3].role is Role.OWNER
    assert plugin.handlers[0].role is None and not plugin.handlers[0].last


def test_a_step_is_no_handler_of_its_own(plugin: Plugin) -> None:
    """Steps are found by name; both ways to write the decorator give the function back."""
    assert plugin.step(handle) is handle
    assert plugin.step(atomic=True)(other) is other
    assert list(plugin.steps) == ["handle", "other"]
    assert plugin.steps["other"].atomic and not plugin.steps["handle"].atomic
    assert plugin.handlers == []


def on(plugin: Any, func: Callable[..., Any]) -> None:
    """Declare a handler that a type checker would refuse already."""
    plugin.on("message")(func)


MISTAKES: list[tuple[Callable[[Plugin], Any], str]] = [
    (lambda p: p.command("Note")(handle), "'Note' cannot be a command: .*such as 'note'"),
    (lambda p: p.command("/note")(handle), "without the /, such as 'note'"),
    (lambda p: p.command("a-b")(handle), "such as 'a_b'"),
    (lambda p: p.command("")(handle), "1 to 32 of a-z, 0-9 and _, without the /[.]$"),
    (lambda p: p.command("x" * 33)(handle), "1 to 32"),
    (lambda p: p.command("ok", "Not Ok")(handle), "such as 'not_ok'"),
    (lambda p: p.command("n", "n")(handle), "'n' is declared twice, for handle.. and handle"),
    (lambda p: p.command("x")(wordless), "wordless.. has no docstring: write one"),
    (lambda p: p.command("x")(verbose), "has 257 letters: shorten it to 256"),
    (lambda p: p.command("x", role="amin")(handle), "'amin' is no role: did you mean 'admin'"),
    (lambda p: p.command("x", role="boss")(handle), "use one of user, moderator, admin, owner"),
    (lambda p: p.on("mesage"), "'mesage' is no kind of update: did you mean 'message'"),
    (lambda p: p.on("xyzzy"), "'xyzzy' is no kind of update: use one of message, "),
    (lambda p: p.on("message", fucn=bool), "'fucn' is no filter of .*did you mean 'func'"),
    (lambda p: p.on("message", commands=["a"]), "use @plugin.command"),
    (lambda p: p.on("message", data="x"), "'data' is no filter of on.'message'."),
    (lambda p: p.on("poll", regexp="x"), "'regexp' is no filter of on.'poll'.: use one of func"),
    (lambda p: p.on("message", content_types="text"), "must be a list of texts"),
    (lambda p: p.on("message", content_types=[]), "must be a list of texts"),
    (lambda p: p.on("message", chat_types=["privat"]), "did you mean 'private'"),
    (lambda p: p.on("message", regexp="("), "is no regular expression .*: mend it"),
    (lambda p: p.on("message", regexp=5), "is no regular expression"),
    (lambda p: p.on("message", func=5), "must be a function that takes the event"),
    (lambda p: p.on("callback_query", data=5), "must be a text"),
    (lambda p: p.on("callback_query", data="x" * 59), "has 65 bytes and Telegram takes 64"),
    (lambda p: p.on("callback_query", data="ж" * 30), "has 66 bytes"),
    (lambda p: on(p, without_ctx), "without_ctx.. must take exactly one argument"),
    (lambda p: on(p, with_more), "write def with_more.ctx."),
    (lambda p: p.on("message")(with_stars), "exactly one argument"),
    (lambda p: on(p, with_word), "exactly one argument"),
    (lambda p: p.on("message")(coroutine), "coroutine.. is async, handlers are plain"),
    (lambda p: p.on("message")(lambda ctx: None), "needs a name: write it with def"),
    (lambda p: [p.step(handle), p.step(handle)], "Two steps are called handle"),
    (lambda p: p.setting("a b", 1, "Help."), "'a b' cannot be a setting's key"),
    (lambda p: p.setting("a", [1], "Help."), "default of type list: use a bool, int, float or str"),
    (lambda p: p.setting("a", 1, " "), "'a' has no help: say in a sentence"),
    (lambda p: p.setting("a", 1, "Help.", [1, "2"]), "of the default's type"),
    (lambda p: p.setting("a", 1, "Help.", [2, 3]), "none of its choices: add it"),
    (lambda p: p.setting("a", 1, "Help.", secret=True), "must be a text that begins empty"),
    (lambda p: p.setting("a", "b", "Help.", secret=True), "must be a text that begins empty"),
    (lambda p: p.setting("a", "", "Help.", [""], secret=True), "must be a text that begins empty"),
    (lambda p: [p.setting("a", 1, "H."), p.setting("a", 2, "H.")], "'a' is declared twice"),
    (lambda p: Plugin("core"), "'core' is what the bot calls itself: rename the file"),
    (lambda p: Plugin("My-Plugin"), "'My-Plugin' cannot be a plugin's name: name the file"),
]


@pytest.mark.parametrize(("declare", "sentence"), MISTAKES)
def test_a_mistake_is_refused_with_its_remedy(
    plugin: Plugin, declare: Callable[[Plugin], Any], sentence: str
) -> None:
    """Whatever cannot be raises at once, in one sentence that says what to write."""
    with pytest.raises(DeclarationError, match=sentence):
        declare(plugin)


def test_64_bytes_of_button_data_are_fine(plugin: Plugin) -> None:
    """The plugin's name and the colon count."""
    plugin.on("callback_query", data="x" * 58)(handle)


def test_a_command_twice_names_both_functions(plugin: Plugin) -> None:
    """Names and aliases are one space."""
    plugin.command("note", "n")(handle)
    with pytest.raises(DeclarationError, match=r"'n' is declared twice, for handle.. and other"):
        plugin.command("new", "n")(other)


def test_what_is_loaded_declares_no_more(plugin: Plugin) -> None:
    """Every way to declare is refused once the loader has the plugin."""
    base = plugin.Model
    Registry().add(plugin)
    late: list[Callable[[], Any]] = [
        lambda: plugin.command("x")(handle),
        lambda: plugin.on("message")(handle),
        lambda: plugin.step(handle),
        lambda: plugin.setting("x", 1, "Help."),
        lambda: type("Late", (base,), {}),
    ]
    for declare in late:
        with pytest.raises(DeclarationError, match="loaded already: declare at the top"):
            declare()


def test_a_setting_gives_the_value_in_force(
    plugin: Plugin, caplog: pytest.LogCaptureFixture
) -> None:
    """The stored value when it fits, else the default, with one line in the log."""
    stored: dict[str, Any] = {}
    limit = plugin.setting("limit", 20, "How many.")
    share = plugin.setting("share", 0.5, "How much.")
    size = plugin.setting("size", "s", "How big.", ["s", "m"])
    assert (limit(), share(), size()) == (20, 0.5, "s")
    registry = Registry()
    registry.add(plugin)
    registry.bind(lambda name, chat: True, lambda name, key, default: stored.get(key, default))
    assert (limit(), share(), size()) == (20, 0.5, "s")
    stored |= {"limit": 30, "share": 1, "size": "m"}
    assert (limit(), share(), size()) == (30, 1.0, "m") and isinstance(share(), float)
    stored |= {"limit": "many", "share": True, "size": "xl"}
    with caplog.at_level(logging.WARNING):
        assert [(limit(), share(), size()) for _ in range(3)] == [(20, 0.5, "s")] * 3
    assert len(caplog.records) == 3 and "notes.limit cannot be 'many'" in caplog.text


def test_a_secret_is_not_shown(plugin: Plugin, caplog: pytest.LogCaptureFixture) -> None:
    """Only whether there is one: not to people, in no log, in no error, in no repr."""
    stored: dict[str, Any] = {}
    key = plugin.setting("key", "", "The key of the shop.", secret=True)
    key.read = lambda name, key, default: stored.get(key, default)
    assert key() == "" and key.shown == ""
    stored["key"] = "hunter2"
    assert key() == "hunter2" and key.shown == MASK
    stored["key"] = ["hunter2"]
    assert key() == ""
    assert "notes.key cannot be •••" in caplog.text
    with pytest.raises(ValueError, match=r"^key cannot be that\.$"):
        parse(key, "hunter2\0")
    assert "hunter2" not in caplog.text + repr(key)


def test_models_belong_to_their_plugin(plugin: Plugin) -> None:
    """A table is called <plugin>_<class>, and the plugin knows its models."""
    note = type("QuickNote", (plugin.Model,), {"__module__": __name__})
    assert note._meta.table_name == "notes_quick_note"  # type: ignore[attr-defined]
    assert plugin.models == [note]
    assert note._meta.only_save_dirty  # type: ignore[attr-defined]


def test_two_plugins_cannot_have_one_command(plugin: Plugin) -> None:
    """Both are named, and the one that came later is refused whole."""
    second = Plugin("todo")
    plugin.command("note", "n")(handle)
    second.command("new", "n")(other)
    registry = Registry()
    registry.add(plugin)
    with pytest.raises(DeclarationError, match=r"by notes.handle.. and todo.other..: rename"):
        registry.add(second)
    assert list(registry.plugins) == ["notes"] and sorted(registry.commands) == ["n", "note"]


def test_two_plugins_cannot_have_one_name(plugin: Plugin) -> None:
    """The second of them is refused."""
    registry = Registry()
    registry.add(plugin)
    with pytest.raises(DeclarationError, match="Two plugins are called 'notes'"):
        registry.add(Plugin("notes"))


def test_two_plugins_cannot_have_one_table() -> None:
    """Nor can a plugin and the core: the class is to be renamed."""
    registry = Registry()
    names = [("plugin", "Switches"), ("a_b", "C"), ("a", "B_C"), ("a", "B_D")]
    plugins = [Plugin(name) for name, _ in names]
    for plugin, (_, model) in zip(plugins, names):
        type(model, (plugin.Model,), {"__module__": __name__})
    with pytest.raises(DeclarationError, match=r"'plugin_switches' of plugin.Switches is the core"):
        registry.add(plugins[0])
    registry.add(plugins[1])
    with pytest.raises(DeclarationError, match=r"'a_b_c' of a.B_C is a_b's already: rename"):
        registry.add(plugins[2])
    registry.add(plugins[3])


def test_the_menu_holds_a_hundred_commands() -> None:
    """The plugin that brings the 101st is refused; aliases do not count."""
    registry = Registry()
    for number in range(2):
        plugin = Plugin(f"many{number}")
        for index in range(50):
            plugin.command(f"c{number}_{index}", f"d{number}_{index}")(handle)
        registry.add(plugin)
    more = Plugin("more")
    more.command("more")(handle)
    with pytest.raises(DeclarationError, match=r"brings the commands to 101 .* holds 100"):
        registry.add(more)


def test_the_kinds_are_those_of_telebot() -> None:
    """Telebot has a way to register each kind, and knows no other."""
    from telebot import TeleBot, util

    assert set(KINDS) == set(util.update_types)
    named = {"inline_query": "inline", "chosen_inline_result": "chosen_inline"}
    for kind in KINDS:
        assert hasattr(TeleBot, f"register_{named.get(kind, kind)}_handler")


def test_plugin_authors_do_not_wait_for_telebot() -> None:
    """Importing the contract, the loader and the settings leaves telebot alone."""
    code = "import bot, bot.loader, settings, sys; sys.exit('telebot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
