"""Let admins switch plugins on and off, here or everywhere, and change their settings."""

from bot import Context, Plugin

plugin = Plugin(__name__)

Page = tuple[str, list[list[tuple[str, str]]]]
SIGNS = {"on": "🟢", "off": "⚪", "off here": "⚪", "suspended": "🟠", "broken": "🔴"}


@plugin.command("plugins", role="admin")
def plugins(ctx: Context) -> None:
    """See, switch and set the plugins."""
    match ctx.args:
        case ["on" | "off" as state, name, *where] if where in ([], ["here"]):
            text, buttons = switch(ctx, name, on=state == "on", here=bool(where))
        case ["set", name, key, _, *_]:
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
    """Show a plugin or the list, switch a plugin, or ask for a setting's new value."""
    what, name, *number = ctx.data.split(":")
    if number and (found := ctx.plugins.get(name)):
        key = found.settings[int(number[0])].key
        question = ctx._("What shall {key} be? Send /cancel to leave it.")
        ctx.ask(question.format(key=key), then=answer, data={"name": name, "key": key})
        return
    if what == "show":
        text, buttons = page(ctx, name) if name else overview(ctx)
    else:
        text, buttons = switch(ctx, name, on=what.startswith("on"), here=what.endswith("here"))
    ctx.edit(text, buttons=buttons)


@plugin.step
def answer(ctx: Context) -> None:
    """Take the new value of a setting, from somebody who still may give it."""
    if ctx.sender.role >= "admin":
        text, buttons = change(ctx, ctx.state["name"], ctx.state["key"], ctx.text)
        ctx.reply(text, buttons=buttons)


def switch(ctx: Context, name: str, *, on: bool, here: bool) -> Page:
    """Switch a plugin and show it as it is now."""
    if name == plugin.name:
        return ctx._("I stay on: who would switch me on again?"), []
    try:
        chat_id = ctx.chat_id if here else 0
        ctx.plugins.switch(name, on, chat_id)
    except LookupError:
        return ctx._("There is no plugin {name}.").format(name=name), []
    ctx.track("plugin_switched", plugin=name, on=on, chat_id=chat_id)
    return page(ctx, name)


def change(ctx: Context, name: str, key: str, value: str | None) -> Page:
    """Change a setting, or give it its default back, and show the plugin."""
    try:
        ctx.plugins.reset(name, key) if value is None else ctx.plugins.set(name, key, value)
    except LookupError:
        return ctx._("There is no setting {key} of {name}.").format(key=key, name=name), []
    except ValueError:
        return ctx._("{key} cannot be {value}.").format(
            key=key, value=masked(ctx, name, key, value)
        ), []
    ctx.track("setting_changed", plugin=name, key=key, value=masked(ctx, name, key, value))
    return page(ctx, name)


def masked(ctx: Context, name: str, key: str, value: str | None) -> str | None:
    """A value as it may be told: nothing of a secret."""
    found = ctx.plugins.get(name)
    secrets = [each.key for each in found.settings if each.secret] if found else []
    return "•••" if key in secrets and value else value


def overview(ctx: Context) -> Page:
    """All plugins, with a button for each."""
    every = [(each, f"{SIGNS[each.state]} {each.name}") for each in ctx.plugins.all(ctx.chat_id)]
    lines = [f"{label} - {ctx._(each.description)}" for each, label in every]
    return "\n".join(lines)[:4000], [[(label, f"show:{each.name}")] for each, label in every]


def page(ctx: Context, name: str) -> Page:
    """A plugin with its settings, and the buttons that switch and set it."""
    found = ctx.plugins.get(name, ctx.chat_id)
    if found is None:
        return ctx._("There is no plugin {name}.").format(name=name), []
    states = {"on": ctx._("on"), "off": ctx._("off"), "off here": ctx._("off here")}
    states |= {"suspended": ctx._("suspended"), "broken": ctx._("broken")}
    lines = [f"{SIGNS[found.state]} {name}: {states[found.state]}", ctx._(found.description)]
    lines += [found.trouble[:500], *(f"/{command}" for command in found.commands)]
    for setting in found.settings:
        lines += [f"{setting.key} = {setting.shown}", f"  {ctx._(setting.help)}"]
        lines += [f"  {' | '.join(map(str, setting.choices))}"] if setting.choices else []
    on, here = (ctx._("Switch on"), f"on:{name}"), (ctx._("Switch on here"), f"on-here:{name}")
    off = [(ctx._("Switch off"), f"off:{name}"), (ctx._("Switch off here"), f"off-here:{name}")]
    rows = [{"on": off, "off": [on], "off here": [here], "suspended": [on]}.get(found.state, [])]
    rows += [[(each.key, f"set:{name}:{place}")] for place, each in enumerate(found.settings)]
    return "\n".join(filter(None, lines)), [*filter(None, rows), [(ctx._("All plugins"), "show:")]]
