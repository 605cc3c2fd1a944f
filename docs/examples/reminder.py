"""Remind people of things, by the clock on their own wall."""

import re
from datetime import datetime, timedelta

from bot import Context, Plugin

plugin = Plugin(__name__)
due = plugin.category("due", "Reminders that you asked for")

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@plugin.command("remind", atomic=True)
def remind(ctx: Context) -> str:
    """Be reminded: /remind 18:30 Water the flowers"""
    when, _, what = ctx.text.partition(" ")
    at = moment(when, ctx.local_time)
    if at is None or not what.strip():
        return "When, and of what? /remind 18:30 Tea, or /remind 90m Tea, or /remind 2d Tea"
    ctx.notify(ctx.sender, f"⏰ {what.strip()}", category=due, at=at)
    return f"I shall remind you on {at:%d.%m. at %H:%M} ({at.tzname()})."


@plugin.command("timezone", atomic=True)
def timezone(ctx: Context) -> str:
    """Say where you live: /timezone Berlin"""
    if not ctx.text or not ctx.preferences.set_zone(ctx.sender, ctx.text):
        return "Which city's time is yours? /timezone Berlin, or /timezone +3"
    return f"It is {ctx.local_time:%H:%M} where you are."


def moment(when: str, here: datetime) -> datetime | None:
    """The moment that is meant: a time of today or tomorrow, or so long from now."""
    if found := re.fullmatch(r"(\d{1,4})([mhd])", when):
        return here + timedelta(**{UNITS[found[2]]: int(found[1])})
    found = re.fullmatch(r"(\d\d?)[:.](\d\d)", when)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    at = here.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    return at if at > here else at + timedelta(days=1)
