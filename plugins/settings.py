"""Let people choose their language, quiet hours, time zone and notices."""

from __future__ import annotations

from bot import Context, Plugin

plugin = Plugin(__name__)

NAMES = {"en": "English", "ru": "Русский"}
NIGHTS = [(22, 7), (23, 8), (0, 9)]


@plugin.command("settings")
def settings(ctx: Context) -> None:
    """Choose language, quiet hours and notices."""
    text, buttons = menu(ctx)
    ctx.reply(text, buttons=buttons)


@plugin.on("callback_query", data="menu")
def back(ctx: Context) -> None:
    """Show what is chosen, and what can be."""
    text, buttons = menu(ctx)
    ctx.edit(text, buttons=buttons)


@plugin.on("callback_query", data="lang")
def language(ctx: Context) -> None:
    """Offer the languages, or speak the one whose button was tapped."""
    if ctx.text[1:] in NAMES:
        ctx.speak(ctx.text[1:])
        return back(ctx)
    buttons = [[(name, f"lang:{code}") for code, name in NAMES.items()], close(ctx)]
    ctx.edit(ctx._("Which language shall I speak?"), buttons=buttons)
    return None


@plugin.on("callback_query", data="quiet")
def quiet(ctx: Context) -> None:
    """Offer quiet hours, or keep those whose button was tapped."""
    chosen = {f":{start}": (start * 60, end * 60) for start, end in NIGHTS} | {":": (None, None)}
    if ctx.text in chosen:
        ctx.preferences.set_quiet(ctx.sender, *chosen[ctx.text])
        return back(ctx)
    nights = [[(f"{start:02}:00 - {end:02}:00", f"quiet:{start}")] for start, end in NIGHTS]
    text = ctx._("When shall I keep quiet? What comes meanwhile I send afterwards.")
    ctx.edit(text, buttons=[*nights, [(ctx._("Never"), "quiet:")], close(ctx)])
    return None


@plugin.on("callback_query", data="zone")
def zone(ctx: Context) -> None:
    """Ask where the person lives."""
    ask = ctx._("Which city's time is yours? A city such as Berlin, or an offset such as +3.")
    ctx.ask(ask, then=place)


@plugin.step
def place(ctx: Context) -> None:
    """Take the city or the offset."""
    if ctx.preferences.set_zone(ctx.sender, ctx.text):
        return settings(ctx)
    ctx.ask(ctx._("I do not know it. Try a big city nearby, or an offset such as +3."), then=place)
    return None


@plugin.on("callback_query", data="want:")
def want(ctx: Context) -> None:
    """Switch the notices whose button was tapped off or on."""
    if ctx.text in ctx.categories:
        wanted = ctx.text in ctx.preferences.of(ctx.sender).muted
        ctx.preferences.set_wanted(ctx.sender, ctx.text, wanted)
    back(ctx)


def menu(ctx: Context) -> tuple[str, list[list[tuple[str, str]]]]:
    """What is chosen, and a button for each thing to choose."""
    mine = ctx.preferences.of(ctx.sender)
    hours = ctx._("never")
    if mine.quiet_from is not None and mine.quiet_until is not None:
        start, end = divmod(mine.quiet_from, 60), divmod(mine.quiet_until, 60)
        hours = f"{start[0]:02}:{start[1]:02} - {end[0]:02}:{end[1]:02}"
    text = ctx._("Quiet hours: {hours}\nTime zone: {zone}, {time} now")
    buttons = [[(f"🌐 {NAMES[ctx.lang]}", "lang")]]
    buttons += [[(ctx._("🌙 Quiet hours"), "quiet"), (ctx._("🕐 Time zone"), "zone")]]
    for name, meaning in ctx.categories.items():
        buttons.append(
            [(f"{'🔕' if name in mine.muted else '🔔'} {ctx._(meaning)}", f"want:{name}")]
        )
    return text.format(
        hours=hours, zone=mine.time_zone or "UTC", time=f"{ctx.local_time:%H:%M}"
    ), buttons


def close(ctx: Context) -> list[tuple[str, str]]:
    """The button that leads back."""
    return [(ctx._("‹ Back"), "menu")]
