"""Sell things for Telegram Stars, and give the Stars back."""

from peewee import BigIntegerField, BooleanField, CharField, IntegerField
from telebot.types import LabeledPrice

from bot import Context, Plugin

plugin = Plugin(__name__)

GOODS = {"tea": ("A cup of tea", 5), "cake": ("A piece of cake", 20)}


class Order(plugin.Model):
    user_id = BigIntegerField(index=True)
    title = CharField()
    stars = IntegerField()
    charge_id = CharField(unique=True)
    refunded = BooleanField(default=False)


@plugin.command("shop")
def shop(ctx: Context) -> None:
    """See what there is."""
    goods = [[(f"{title}: {stars} ⭐", f"buy:{key}")] for key, (title, stars) in GOODS.items()]
    ctx.reply("What would you like?", buttons=goods)


@plugin.on("callback_query", data="buy:")
def buy(ctx: Context) -> None:
    if ctx.text not in GOODS:
        ctx.answer("That is no longer sold.", alert=True)
        return
    title, stars = GOODS[ctx.text]
    prices = [LabeledPrice(title, stars)]
    payload = f"shop:{ctx.text}"
    ctx.bot.send_invoice(ctx.chat_id, title, "From our kitchen.", payload, "", "XTR", prices)


@plugin.on("pre_checkout_query", func=lambda query: query.invoice_payload.startswith("shop:"))
def check(ctx: Context) -> None:
    sold = ctx.event.invoice_payload.removeprefix("shop:") in GOODS
    ctx.answer(None if sold else "That is no longer sold.")


@plugin.on("message", content_types=["successful_payment"], atomic=True)
def paid(ctx: Context) -> str:
    payment = ctx.event.successful_payment
    title, _ = GOODS[payment.invoice_payload.removeprefix("shop:")]
    Order.create(
        user_id=ctx.sender.telegram_id,
        title=title,
        stars=payment.total_amount,
        charge_id=payment.telegram_payment_charge_id,
    )
    return f"{title} is yours. See what you bought: /orders"


@plugin.command("orders")
def orders(ctx: Context) -> str:
    """See what you bought."""
    mine = Order.select().where(Order.user_id == ctx.sender.telegram_id).order_by(Order.id)
    lines = [f"{o.id}. {o.title}: {'given back' if o.refunded else f'{o.stars} ⭐'}" for o in mine]
    return "\n".join(lines) or "Nothing yet. Have a look: /shop"


@plugin.command("refund", role="admin")
def refund(ctx: Context) -> str:
    """Give the Stars of an order back: /refund 1"""
    order = Order.get_or_none(id=ctx.text) if ctx.text.isdecimal() else None
    if order is None or order.refunded:
        return "There is no such order that was paid."
    ctx.bot.refund_star_payment(order.user_id, order.charge_id)
    Order.update(refunded=True).where(Order.id == order.id).execute()
    return f"{order.stars} ⭐ went back."
