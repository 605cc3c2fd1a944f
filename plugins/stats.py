"""Show admins how many people use the bot, and for what, in words and in a picture."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bot import Context, Plugin

plugin = Plugin(__name__)

DAYS = 30
WIDTH, HEIGHT, EDGE = 900, 420, 60
PAPER, INK, LINE, BAR = "#ffffff", "#333333", "#dddddd", "#2f7ed8"


@plugin.command("stats", role="admin")
def stats(ctx: Context) -> None:
    """See how the bot is used."""
    numbers = ctx.cache.remember("stats", lambda: count(ctx), seconds=300)
    picture = draw(numbers["days"])
    ctx.reply(say(ctx, numbers), photo=picture)


def count(ctx: Context) -> dict[str, Any]:
    """All numbers, at most once in five minutes: they cost a look at large tables."""
    totals = ctx.analytics.totals(at=ctx.now)
    periods = ("day", "week", "month")
    return {
        "users": totals.users,
        "today": totals.joined_today,
        "messages": totals.messages,
        "active": [ctx.analytics.active(period, at=ctx.now) for period in periods],
        "days": ctx.analytics.by_day(DAYS, at=ctx.now),
        "commands": ctx.analytics.by_command(DAYS, at=ctx.now),
    }


def say(ctx: Context, numbers: Mapping[str, Any]) -> str:
    """The numbers in words."""
    day, week, month = numbers["active"]
    lines = [
        ctx._("People: {count}, new today: {today}"),
        ctx._("Active today: {day}, this week: {week}, this month: {month}"),
        ctx._("Messages: {messages}"),
        "",
        ctx._("Commands in 30 days by plugin:"),
    ]
    text = "\n".join(lines).format(
        count=numbers["users"],
        today=numbers["today"],
        day=day,
        week=week,
        month=month,
        messages=numbers["messages"],
    )
    used = [f"{name}: {times}" for name, times in by_plugin(ctx, numbers["commands"])]
    return "\n".join([text, *used, "", ctx._("The picture shows the messages of each day.")])


def by_plugin(ctx: Context, commands: Mapping[str, int]) -> list[tuple[str, int]]:
    """The plugins whose commands were used most."""
    used: Counter[str] = Counter()
    for each in ctx.plugins.all():
        used[each.name] = sum(commands.get(command, 0) for command in each.commands)
    return [(name, times) for name, times in used.most_common(10) if times]


def draw(days: Mapping[str, int]) -> bytes:
    """A bar for each day, as a PNG; its words are numbers and dates, for all languages."""
    from PIL import Image, ImageDraw, ImageFont  # 2 MiB, until somebody asks

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=16)
    top = scale(max(days.values()))
    foot, room = HEIGHT - EDGE, HEIGHT - 2 * EDGE
    for part in range(5):
        y = foot - room * part // 4
        pen.line([(EDGE, y), (WIDTH - EDGE // 2, y)], fill=LINE)
        pen.text((EDGE - 8, y), str(top * part // 4), fill=INK, font=font, anchor="rm")
    step = (WIDTH - 1.5 * EDGE) / len(days)
    for place, (date, times) in enumerate(days.items()):
        left, high = EDGE + step * place, room * times / top
        pen.rectangle([left + step * 0.15, foot - high, left + step * 0.85, foot], fill=BAR)
        if (len(days) - 1 - place) % 7 == 0:
            label = f"{date[8:]}.{date[5:7]}"
            pen.text((left + step / 2, foot + 10), label, fill=INK, font=font, anchor="mt")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def scale(most: int) -> int:
    """The number at the top of the picture: the next of 4, 8, 20, 40, 80, 200 and so on."""
    top = 4
    while top < most:
        top = top * 5 // 2 if str(top)[0] == "8" else top * 2
    return top
