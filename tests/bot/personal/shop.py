"""Sell things: rows that point at the row of a person, and hold their name."""

from __future__ import annotations

from peewee import ForeignKeyField, TextField

from bot import Context, Plugin
from models import User

plugin = Plugin(__name__)


class Order(plugin.Model):
    buyer = ForeignKeyField(User)
    address = TextField()


@plugin.command("buy", atomic=True)
def buy(ctx: Context) -> str:
    """Buy something."""
    Order.create(buyer=ctx.sender, address=f"{ctx.sender.name}, {ctx.text}")
    return "Bought."


@plugin.export_user
def export(user: User) -> dict[str, list[str]]:
    """The orders."""
    return {"orders": [order.address for order in Order.select().where(Order.buyer == user.id)]}


@plugin.delete_user
def delete(user: User) -> int:
    """Forget them."""
    return int(Order.delete().where(Order.buyer == user.id).execute())
