"""What `python -m bot run` does: builds the core from the settings and runs the process."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
from contextlib import suppress

import redis

from bot.chores import Chores
from bot.core import Core, Parts
from bot.courier import Courier
from bot.i18n import Catalogues
from bot.loader import load, locales
from bot.logs import setup
from bot.process import Process, begin_again
from bot.registry import Registry
from bot.relay import Relay
from bot.reload import Watcher, snapshot
from bot.renewal import Renewal
from bot.reports import report
from bot.safekeeping import Safekeeping
from bot.safekeeping import make as make_backup
from bot.tables import pending, refuse_pending
from bot.tally import Tally
from bot.tracing import tracing
from bot.trial import PASSED, run_verb
from bot.upgrade import migrate
from bot.wire import CurlWire
from database import Database, Postgres, bind, current, db, open_database
from services.cache import open_cache
from services.plugins import Preferences, Switches
from settings import Settings, SettingsError

log = logging.getLogger(__name__)

SPARE = 11
"""Connections beside those of the worker threads: pollers, ledger, beat, chores."""


PATIENCE = 10.0
"""Seconds that the on_start of all plugins together may hold up the first update."""
M_ARENA_MAX = -8
"""As malloc.h of glibc has it."""
AGAIN = "--again"
"""Tells a process that it takes the place of one that ran."""


def main(settings: Settings, *, again: bool = False) -> int:
    """Run the bot until it is told to stop; give the exit code. Raises SettingsError."""
    if settings.mode != "polling":
        raise SettingsError("BOT_MODE must be polling: this release has no webhook mode yet")
    share_heap()
    writer = setup(settings.log_level, settings.log_format)
    try:
        report(settings)
        tracing.start(settings)
        process = build(settings, again=again)
        tracing.watch(current())
        begin(process.core.parts.registry)
        code = process.run()
    finally:
        tracing.stop()
        writer.stop()
    if process.again:
        if AGAIN not in sys.orig_argv:
            sys.orig_argv.append(AGAIN)
        begin_again()
    return code


def rehearse(settings: Settings) -> int:
    """Load strictly, migrate, and put a core together; no thread, no port, no call.

    Gives PASSED, or the exit code of what failed. Raises SettingsError.
    """
    if code := migrate(settings, strict=True):
        return code
    core, _ = assemble(settings)
    core.parts.courier.close()
    current().close_all()
    return PASSED


def build(settings: Settings, *, again: bool = False) -> Process:
    """Put a process together. Raises SettingsError for what a person must mend first."""
    seen = snapshot(settings.plugins_path)
    core, chores = assemble(settings, again=again)
    handlers = core.dispatch.handlers(core.seats[0].client.telebot)
    core.parts.metrics.preset(f"{each.plugin}.{each.name}" for each in handlers)
    core.parts.metrics.serve(settings.metrics_port)
    sent = [chores.tell_owners, chores.send_notices, chores.send_messages]
    process = Process(core, chores=[chores.step, chores.sync_menus, *sent, Tally(core).step])
    process.chores += [Renewal(process).step, chores.forget_events, safekeeping(core).step]
    settle()
    if settings.development:
        Watcher(settings.plugins_path, seen, restart=process.restart).start()
    return process


def assemble(settings: Settings, *, again: bool = False) -> tuple[Core, Chores]:
    """Load the plugins and put a core together on the database. Raises SettingsError."""
    database = open_database(
        settings.database_url.reveal(),
        pool=settings.database_pool,
        overflow=max(settings.database_overflow, settings.threads + SPARE - settings.database_pool),
    )
    bind(database)
    registry = load(settings.plugins_path)
    if again:
        catch_up(database, registry)
    refuse_pending(database, registry)
    switches, preferences = Switches(), Preferences()
    switches.refresh()
    preferences.refresh()
    registry.bind(switches.on, preferences.get)
    parts = Parts(
        settings,
        registry,
        _wire(settings),
        open_cache(settings.redis_url.reveal() if settings.redis_url else None),
        Catalogues(locales(registry), default=settings.default_language),
        switches,
        preferences,
        store=_store(settings),
        courier=Courier(settings.telegram_url),
    )
    parts.metrics.allow_commands(*registry.commands)
    core = Core(parts)
    core.breaker.refresh()
    if isinstance(database, Postgres):
        core.ledger.relay = Relay(core.ledger, parts.courier, database.begin_connection)
    return core, Chores(core, [switches, preferences])


def begin(registry: Registry, *, patience: float = PATIENCE) -> None:
    """Run what the plugins do at the start; the bot does not wait for ever."""
    thread = threading.Thread(target=_start, args=[registry], name="start", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        log.warning("on_start of a plugin takes over %.0f s: the bot starts without it", patience)


def _start(registry: Registry) -> None:
    try:
        registry.start()
    finally:
        if not db.is_closed():
            db.close()


def safekeeping(core: Core) -> Safekeeping:
    """The daily backup of the process that acts for a bot."""
    parts = core.parts
    return Safekeeping(
        parts.settings, leads=core.leads, clock=parts.clock, make=make_backup(parts.stop)
    )


def share_heap() -> None:
    """Have all threads allocate from one heap where the C library is glibc: one runs at a time.

    Each would else be given its own, which keeps what it once needed.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def settle() -> None:
    """Search for garbage less: what was loaded stays, and an update leaves hardly any."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def catch_up(database: Database, registry: Registry) -> None:
    """Migrate for a plugin that was saved in the moment of a reload, after its migration ran."""
    if pending(database, registry) and (said := run_verb("migrate")) is not None:
        log.error("%s", said)


def _wire(settings: Settings) -> CurlWire:
    try:
        return CurlWire(settings.telegram_url)
    except ValueError as error:
        raise SettingsError(f"TELEGRAM_API_URL: {error}") from None


def _store(settings: Settings) -> redis.Redis | None:
    """Redis for the throttle; a hanging one costs an update at most a moment."""
    if settings.redis_url is None:
        return None
    url = settings.redis_url.reveal()
    return redis.Redis.from_url(url, socket_timeout=0.3, socket_connect_timeout=0.3, retry=None)
