"""A panel with plugins of a test's own, and a bot beside it on the same database."""

from __future__ import annotations

from pathlib import Path

from admin.panel import Panel
from bot.loader import load
from bot.memory import MemoryWire
from bot.testing import ChatKit
from database import Database
from sandbox.telegram import Telegram
from settings import Secret, Settings
from tests.admin.conftest import KEY, Clock

SHOP = '''"""Sell things."""

from peewee import BigIntegerField, BooleanField, CharField, DateTimeField, ForeignKeyField

from bot import Context, Plugin
from models import User

plugin = Plugin(__name__)
open_ = plugin.setting("open", True, "Whether it is open.")
most = plugin.setting("most", 3, "How many things one may buy.")
rate = plugin.setting("rate", 1.5, "What a thing costs.")
greeting = plugin.setting("greeting", "Hello", "What is said first.")
size = plugin.setting("size", "s", "How big things are.", choices=["s", "m"])
key = plugin.setting("key", "", "The key of the bank.", secret=True)


class Order(plugin.Model):
    user = ForeignKeyField(User, null=True)
    chat_id = BigIntegerField(index=True, default=0)
    thing = CharField()
    paid = BooleanField(default=False)
    at = DateTimeField(null=True)


plugin.admin(Order, ["id", "user", "thing", "paid", "at"], search=["thing"], filters=["paid"],
             title="Orders", editable=True)
plugin.admin(Order, ["thing"], title="Things")


@plugin.command("buy", "b")
def buy(ctx: Context) -> str:
    """Buy something."""
    if ctx.text == "the moon":
        raise ValueError("no moon left")
    return f"{greeting()}, {most()} at {rate()}, {size()}, {open_()}, {len(key())}"


@plugin.health
def health() -> str | None:
    return None if open_() else "It is closed."


@plugin.stats
def stats() -> dict[str, object]:
    return {"orders": Order.select().count(), "till": 1234.5}
'''
MENDED = SHOP.replace('raise ValueError("no moon left")', 'return "The moon is yours."')
BROKEN = '"""Fail."""\n1 / 0\n'
LACKING = '"""Lack."""\nfrom bot import Plugin\nplugin = Plugin(__name__)\nplugin.requires("nix")\n'
PLAIN = '"""Be."""\nfrom bot import Plugin\nplugin = Plugin(__name__)\n'


def open_panel(folder: Path, clock: Clock, telegram: Telegram, **plugins: str) -> Panel:
    """The panel of plugins that are written into the folder; their tables are made."""
    for name, source in plugins.items():
        (folder / f"{name}.py").write_text(source)
    registry = load([folder])
    settings = Settings(secret_key=Secret(KEY), plugins_path=(folder,))
    panel = Panel(settings, registry, wire=MemoryWire(telegram), clock=clock)
    registry.bind(panel.switches.on, panel.preferences.get)
    for plugin in registry.plugins.values():
        for model in plugin.models:
            model.create_table()
    return panel


def open_bot(folder: Path, database: Database, telegram: Telegram | None = None) -> ChatKit:
    """A bot with the plugins in the folder, on the panel's database."""
    return ChatKit([folder], database=database, telegram=telegram)
