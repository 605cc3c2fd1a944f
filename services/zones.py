"""Time zones: found by what people call them, and read by their names."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

OFFSET = re.compile(r"(?:utc|gmt)?\s*([+\-−]?)(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)
FARTHEST = 14 * 60
"""Minutes: no place is farther ahead of UTC; none is as far behind."""
CITIES = {
    "bangalore": "Asia/Kolkata",
    "beijing": "Asia/Shanghai",
    "boston": "America/New_York",
    "delhi": "Asia/Kolkata",
    "frankfurt": "Europe/Berlin",
    "geneva": "Europe/Zurich",
    "hamburg": "Europe/Berlin",
    "milan": "Europe/Rome",
    "mumbai": "Asia/Kolkata",
    "munich": "Europe/Berlin",
    "saint petersburg": "Europe/Moscow",
    "san francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "washington": "America/New_York",
    "алматы": "Asia/Almaty",
    "астана": "Asia/Almaty",
    "баку": "Asia/Baku",
    "белград": "Europe/Belgrade",
    "берлин": "Europe/Berlin",
    "бишкек": "Asia/Bishkek",
    "варшава": "Europe/Warsaw",
    "владивосток": "Asia/Vladivostok",
    "волгоград": "Europe/Volgograd",
    "дубай": "Asia/Dubai",
    "екатеринбург": "Asia/Yekaterinburg",
    "ереван": "Asia/Yerevan",
    "иркутск": "Asia/Irkutsk",
    "казань": "Europe/Moscow",
    "калининград": "Europe/Kaliningrad",
    "киев": "Europe/Kyiv",
    "красноярск": "Asia/Krasnoyarsk",
    "лондон": "Europe/London",
    "магадан": "Asia/Magadan",
    "минск": "Europe/Minsk",
    "москва": "Europe/Moscow",
    "новосибирск": "Asia/Novosibirsk",
    "нью йорк": "America/New_York",
    "омск": "Asia/Omsk",
    "париж": "Europe/Paris",
    "пермь": "Asia/Yekaterinburg",
    "петропавловск камчатский": "Asia/Kamchatka",
    "рига": "Europe/Riga",
    "самара": "Europe/Samara",
    "санкт петербург": "Europe/Moscow",
    "сочи": "Europe/Moscow",
    "стамбул": "Europe/Istanbul",
    "таллин": "Europe/Tallinn",
    "ташкент": "Asia/Tashkent",
    "тбилиси": "Asia/Tbilisi",
    "челябинск": "Asia/Yekaterinburg",
    "якутск": "Asia/Yakutsk",
}
"""Cities that the time zone database does not know, or not by this name."""


def find(said: str) -> str | None:
    """The name of the time zone that somebody means by a city, an offset or a name; or None.

    "Berlin", "new york", "Москва", "Europe/Rome", "+3", "UTC-03:30".
    """
    said = said.strip()
    if match := OFFSET.fullmatch(said):
        return _offset(*match.groups())
    words = re.sub(r"[\s_-]+", " ", said.casefold()).replace("ё", "е")
    return CITIES.get(words) or _names().get(words)


def zone(name: str | None) -> tzinfo:
    """The time zone of a name that `find` gave; UTC for None and for one that is gone."""
    if name and (match := OFFSET.fullmatch(name)):
        sign, hours, minutes = match.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-ahead if sign == "-" else ahead)
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _offset(sign: str, hours: str, minutes: str | None) -> str | None:
    if int(hours) * 60 + int(minutes or 0) > FARTHEST:
        return None
    return f"UTC{'-' if sign in ('-', '−') else '+'}{int(hours):02}:{minutes or '00'}"


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Time zones by their names and by their cities, as people write them."""
    names = sorted(name for name in available_timezones() if "/" in name)
    places = [name for name in names if not name.startswith(("Etc/", "SystemV/"))]
    cities = {_plain(name.rpartition("/")[2]): name for name in reversed(places)}
    return cities | {_plain(name): name for name in names} | {"utc": "UTC", "gmt": "UTC"}


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").casefold()
