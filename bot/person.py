"""What `python -m bot export-user` and `delete-user` do: one person, across core and plugins."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bot.loader import collect, problems
from bot.opened import opened
from bot.registry import Registry
from services import care, privacy
from services.audit import TERMINAL
from services.cache import open_cache
from settings import Settings, SettingsError


def export_user(settings: Settings, telegram_id: int) -> int:
    """Print all that is held on a person as JSON; 1 when a plugin could not say."""
    with _opened(settings) as registry:
        held = care.give_out(TERMINAL, telegram_id, registry.hooks("export_user"))
    print(json.dumps(held, ensure_ascii=False, indent=2))
    failed = [name for name, said in held["plugins"].items() if _is_error(said)]
    return _tell_failed(failed)


def delete_user(settings: Settings, telegram_id: int, *, sure: bool = False) -> int:
    """Erase a person and print the receipt as JSON; 1 when it is left undone or a plugin failed."""
    with _opened(settings) as registry:
        user, _ = privacy.look_up(telegram_id)
        if not sure and not _agreed(f"{user.name} ({telegram_id})" if user.id else telegram_id):
            print("Nothing was erased.", file=sys.stderr)
            return 1
        try:
            receipt, words = care.forget(TERMINAL, telegram_id, registry.hooks("delete_user"))
        except privacy.Erasing as error:
            print(error, file=sys.stderr)
            return 1
    cache = open_cache(settings.redis_url.reveal() if settings.redis_url else None)
    tables = receipt.tables | {"cache": cache.forget(words)}
    print(json.dumps({"core": tables, "plugins": receipt.plugins, "failed": receipt.failed}))
    return _tell_failed([*receipt.failed])


@contextmanager
def _opened(settings: Settings) -> Iterator[Registry]:
    """The plugins and the database. Raises SettingsError when one of them cannot be had.

    A plugin that is broken would keep what it holds, and nobody would notice.
    """
    registry = collect(settings.plugins_path)
    if wrong := problems(settings, registry):
        raise SettingsError("\n".join(wrong))
    with opened(settings) as database, database.connection_context():
        yield registry


def _agreed(who: object) -> bool:
    if not sys.stdin.isatty():
        print("Say --yes to erase without a question.", file=sys.stderr)
        return False
    print(f"Erase all that is held on {who}? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _is_error(said: object) -> bool:
    return isinstance(said, dict) and list(said) == ["error"]


def _tell_failed(plugins: list[str]) -> int:
    for name in plugins:
        print(f"The plugin {name} failed: its part is missing.", file=sys.stderr)
    return 1 if plugins else 0
