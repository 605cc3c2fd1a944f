"""What `doctor` asks Telegram: who we are, what time it is, and whether somebody else polls."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import certifi
import pycurl

from bot import machine
from bot.probes import Finding, bad, good, note
from bot.stores import skew
from bot.wire import Ambiguous, CurlWire, NeverSent
from settings import Secret, Settings

TIMEOUT = (3.0, 3.0)
"""Seconds for the connection, and for the answer."""
FEW = 3
"""Polls that another one may end while a process follows another."""
WHILE = 3.0
"""Seconds between two looks at the polls that ended; two programs end each other's in each."""
CONFLICTS = re.compile(
    r'^bot_api_requests_total\{(?=[^}]*code="409")(?=[^}]*method="getUpdates")[^}]*\} (\S+)',
    re.MULTILINE,
)


def telegram(settings: Settings) -> Iterator[Finding]:
    """Each token is known, and the updates come the way we take them."""
    wire = CurlWire(settings.telegram_url)
    for token in settings.bots:
        yield from _bot(settings, wire, token)


def _bot(settings: Settings, wire: CurlWire, token: Secret) -> Iterator[Finding]:
    bot_id = token.reveal().partition(":")[0]
    try:
        status, body = _call(wire, token, "getMe")
        if status in (401, 404):
            yield bad(
                f"It does not know the token of the bot {bot_id}: get a new one from @BotFather"
                " and set TELEGRAM_BOT_TOKEN."
            )
        elif status != 200:
            yield bad(f"It answers {status} for the bot {bot_id}: wait, and look again.")
        else:
            yield good(f"It knows the bot {bot_id} as @{body['result']['username']}.")
            yield from _webhook(settings, bot_id, _call(wire, token, "getWebhookInfo")[1])
    except (NeverSent, Ambiguous) as error:
        yield bad(f"{error}: look at the network, its firewall, and TELEGRAM_API_URL.")


def _call(wire: CurlWire, token: Secret, method: str) -> tuple[int, dict[str, Any]]:
    reply = wire.exchange(token, method, {}, timeout=TIMEOUT)
    try:
        body = json.loads(reply.body)
    except ValueError:
        body = {}
    return (reply.status, body) if body or reply.status != 200 else (0, {})


def _webhook(settings: Settings, bot_id: str, body: dict[str, Any]) -> Iterator[Finding]:
    info = body.get("result", {})
    if info.get("url") and settings.mode == "polling":
        yield bad(
            f"It sends the updates of the bot {bot_id} to a webhook, and BOT_MODE is polling:"
            " delete the webhook with deleteWebhook, or set BOT_MODE=webhook."
        )
    if settings.mode == "webhook" and info.get("url") != settings.webhook_url:
        yield bad(f"It has another webhook for the bot {bot_id} than WEBHOOK_URL: restart the bot.")


def clock(settings: Settings, *, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Telegram's clock is ours, by the date of an answer; no token is sent for it."""
    date = date_of(settings.telegram_url)
    if date is None:
        yield note("Telegram did not tell its time.")
    else:
        yield skew("Telegram's", now() - parsedate_to_datetime(date).timestamp() - 0.5)


def date_of(url: str) -> str | None:
    """The Date of a server's answer; None without one."""
    dates: list[str] = []

    def keep(line: bytes) -> None:
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "date":
            dates.append(value.strip())

    curl = pycurl.Curl()
    options = {
        pycurl.URL: url,
        pycurl.NOSIGNAL: 1,
        pycurl.NOBODY: 1,
        pycurl.CAINFO: certifi.where(),
        pycurl.TIMEOUT_MS: int(sum(TIMEOUT) * 1000),
        pycurl.HEADERFUNCTION: keep,
        **({pycurl.NOPROXY: "*"} if url.startswith("http:") else {}),
    }
    for option, value in options.items():
        curl.setopt(option, value)
    try:
        curl.perform()
    except pycurl.error:
        return None
    finally:
        curl.close()
    return dates[-1] if dates else None


def others(settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Finding]:
    """No other program polls with our token, as far as the running bot has noticed.

    The bot counts since its process started, so a second look tells what is over from what lasts.
    """
    before = ended = conflicts(settings.metrics_port)
    if before is not None and before > FEW:
        sleep(WHILE)
        ended = conflicts(settings.metrics_port)
    if before is None or ended is None:
        yield note("No bot of ours runs here, so nobody could notice another one.")
    elif ended > before:
        yield bad(
            "Another program polls with the same token and has ended"
            f" {ended:.0f} polls of ours since the bot's process started: find it, or revoke the"
            " token with @BotFather and set the new one."
        )
    elif ended > FEW:
        yield note(
            f"Another program has ended {ended:.0f} polls of ours since the bot's process started,"
            " and none while this looked."
        )
    else:
        yield good("Nobody else polls.")


def conflicts(port: int) -> float | None:
    """The polls that another program ended, as the running bot counts them; None without a bot."""
    text = machine.answers(port, "/metrics", machine.BOT)
    return None if text is None else sum(map(float, CONFLICTS.findall(text)))
