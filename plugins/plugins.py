"""Let admins switch plugins on and off, here or everywhere, and change their settings."""

from __future__ import annotations

from typing import TypeAlias

from bot import Context, Plugin

plugin = Plugin(__name__)

Page: TypeAlias = tuple[str, list[list[tuple[str, str]]]]
"""A text and the buttons under it."""

SIGNS = {"on": "🟢", "off": "⚪", "off here": "⚪", "suspended": "🟠", "broken": "🔴"}


@plugin.command("plugins", role="admin")
def plugins(ctx: Context) -> None:
    """See, switch and set the plugins."""
    match ctx.args:
        case ["on" | "off" as state, name, *where] if where in ([], ["here"]):
            text, buttons = switch(ctx, name, on=state == "on", here=bool(where))
        case ["set", name, key, *words] if words:
            text, buttons = change(ctx, name, key, ctx.text.split(maxsplit=3)[3])
        case ["reset", name, key]:
            text, buttons = change(ctx, name, key, None)
        case [name]:
            text, buttons = page(ctx, name)
        case _:
            text, buttons = overview(ctx)
    ctx.reply(text, buttons=buttons)


@plugin.on("callback_query", role="admin")
def tap(ctx: Context) -> None:
    """Show a plugin or the list, or switch the plugin whose button was tapped."""
    what, name = ctx.data.split(":", 1)
    if what == "show":
        text, buttons = page(ctx, name) if name else overview(ctx)
    else:
        text, buttons = switch(ctx, name, on=what.startswith("on"), here=what.endswith("here"))
    ctx.edit(text, buttons=buttons)


def switch(ctx: Context, name: str, *, on: bool, here: bool) -> Page:
    """Switch a plugin and show it as it is now."""
    if name == plugin.name:
        return ctx._("I stay on: who would switch me on again?"), []
    try:
        ctx.plugins.switch(name, on, ctx.chat_id if here else 0)
    except LookupError:
        return ctx._("There is no plugin {name}.").format(name=name), []
    ctx.track("plugin_switched", plugin=name, on=on, chat_id=ctx.chat_id if here else 0)
    return page(ctx, name)


def change(ctx: Context, name: str, key: str, value: str | None) -> Page:
    """Change a setting, or give it its default back, and show the plugin."""
    try:
        ctx.plugins.reset(name, key) if value is None else ctx.plugins.set(name, key, value)
    except LookupError:
        return ctx._("There is no setting {key} of {name}.").format(key=key, name=name), []
    except ValueError:
        return ctx._("{key} cannot be {value}.").format(key=key, value=value), []
    ctx.track("setting_changed", plugin=name, key=key, value=value)
    return page(ctx, name)


def overview(ctx: Context) -> Page:
    """All plugins, with a button for each."""
    every = ctx.plugins.all(ctx.chat_id)
    labels = [(f"{SIGNS[each.state]} {each.name}", f"show:{each.name}") for each in every]
    lines = [f"{SIGNS[each.state]} {each.name} - {ctx._(each.description)}" for each in every]
    return "\n".join(lines)[:4000], [
        labels[start : start + 2] for start in range(0, len(labels), 2)
    ]


def page(ctx: Context, name: str) -> Page:
    """A plugin with its settings, and the buttons that switch it."""
    found = ctx.plugins.get(name, ctx.chat_id)
    if found is None:
        return ctx._("There is no plugin {name}.").format(name=name), []
    lines = [f"{SIGNS[found.state]} {name}: {said(ctx, found.state)}", ctx._(found.description)]
    lines += [found.trouble[:500], *(f"/{command}" for command in found.commands)]
    for setting in found.settings:
        lines += [f"{setting.key} = {setting()}", f"  {ctx._(setting.help)}"]
        lines += [f"  {' | '.join(map(str, setting.choices))}"] if setting.choices else []
    on, here = (ctx._("Switch on"), "on"), (ctx._("Switch on here"), "on-here")
    off = [(ctx._("Switch off"), "off"), (ctx._("Switch off here"), "off-here")]
    row = {"on": off, "off": [on], "off here": [here], "suspended": [on], "broken": []}
    buttons = [[(label, f"{what}:{name}") for label, what in row[found.state]]]
    return "\n".join(filter(None, lines)), [*buttons, [(ctx._("All plugins"), "show:")]]


def said(ctx: Context, state: str) -> str:
    """The state in words."""
    words = {"on": ctx._("on"), "off": ctx._("off everywhere"), "off here": ctx._("off here")}
    return words.get(state) or (ctx._("suspended") if state == "suspended" else ctx._("broken"))
