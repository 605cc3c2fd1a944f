"""Stars that are given back."""

from __future__ import annotations

from sandbox.telegram import Telegram
from tests.sandbox.chatting import ALICE, BOB, BOT, Bot, Json

INVOICE: Json = {
    "chat_id": ALICE,
    "title": "Tea",
    "description": "A cup.",
    "payload": "tea",
    "currency": "XTR",
    "prices": '[{"label": "Tea", "amount": 5}]',
}


def test_a_payment_is_given_back_once(bot: Bot, telegram: Telegram) -> None:
    """To the person who paid; the chat is told."""
    bill = bot.ok("sendInvoice", **INVOICE)
    query = telegram.pay(BOT, ALICE, ALICE, bill["message_id"])
    bot.ok("answerPreCheckoutQuery", pre_checkout_query_id=query, ok=True)
    charge = bot.updates()[-1]["message"]["successful_payment"]["telegram_payment_charge_id"]
    wanted = {"user_id": ALICE, "telegram_payment_charge_id": charge}
    assert "CHARGE_NOT_FOUND" in bot.error("refundStarPayment", **{**wanted, "user_id": BOB})
    assert bot.ok("refundStarPayment", **wanted) is True
    assert bot.updates()[-1]["message"]["refunded_payment"]["total_amount"] == 5
    assert "CHARGE_ALREADY_REFUNDED" in bot.error("refundStarPayment", **wanted)
