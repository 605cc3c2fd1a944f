"""Addresses in buttons and in text: what Telegram takes for a link and how it writes it."""

from __future__ import annotations

import re

HOST = re.compile(r"[^\s/?#.]+(?:\.[^\s/?#.]+)*\.[^\s/?#.\d][^\s/?#.]+|\d+(?:\.\d+){3}", re.ASCII)
WIDE_HOST = re.compile(r"\w(?:[\w.-]*\w)?\.[^\W\d_][\w-]*[^\W_]")
USER = re.compile(r"tg:(?://)?user\?(?:.*&)?id=(\d+)", re.IGNORECASE)
EMOJI = re.compile(r"tg:(?://)?emoji\?(?:.*&)?id=(-?\d+)", re.IGNORECASE)
OWN = ("tg", "ton", "tonsite")


class WrongLink(ValueError):
    """Not a link; the text is Telegram's reason."""


def check_link(url: str) -> str:
    """A link as Telegram writes it.

    Raises: WrongLink.
    """
    url = url.strip()
    scheme, colon, rest = url.partition("://")
    if not colon:
        scheme, colon, rest = url.partition(":")
        if scheme.lower() not in OWN:
            scheme, rest = "http", url
    scheme = scheme.lower()
    if scheme in OWN:
        return f"{scheme}://{rest}"
    if scheme not in ("http", "https"):
        raise WrongLink("Unsupported URL protocol")
    return _http(scheme, rest)


def find_link(url: str) -> str:
    """A link as Telegram writes it, empty when it is none."""
    try:
        return check_link(url)
    except WrongLink:
        return ""


def linked_user(url: str) -> int | None:
    """The id in a tg://user?id=... link."""
    match = USER.fullmatch(url.strip())
    return int(match[1]) if match else None


def linked_emoji(url: str) -> str | None:
    """The id in a tg://emoji?id=... link."""
    match = EMOJI.fullmatch(url.strip())
    return match[1] if match else None


def _http(scheme: str, rest: str) -> str:
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    name, _, port = place.rpartition("@")[2].partition(":")
    if not name:
        raise WrongLink("URL host is empty")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise WrongLink("Wrong port number specified in the URL")
    if HOST.fullmatch(name) is None and WIDE_HOST.fullmatch(name) is None:
        raise WrongLink("Wrong HTTP URL")
    tail = rest[len(place) :]
    if not tail.startswith("/"):
        tail = "/" + tail
    return f"{scheme}://{place.lower()}{tail}"
