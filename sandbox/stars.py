"""Payments in Telegram Stars: sendInvoice, a person who pays, answerPreCheckoutQuery."""

from __future__ import annotations

from typing import Any

from sandbox.answers import Impossible, Json, bad
from sandbox.calls import Call
from sandbox.delivery import deliver, send
from sandbox.markup import read_markup
from sandbox.messages import read_options
from sandbox.params import as_integer
from sandbox.queries import TOO_OLD, Query, ask
from sandbox.scenes import Scene, open_scene
from sandbox.spans import units

CHECKOUT_LIFE = 10
LONGEST = {"title": 32, "description": 255}
LONGEST_PAYLOAD = 128
STARS = "XTR"


def send_invoice(call: Call) -> Json:
    """A bill in Stars; the sandbox knows no other money."""
    invoice = _read_invoice(call)
    payload = call.params.text("payload")
    if not payload:
        raise bad("invoice payload is empty")
    if len(payload.encode()) > LONGEST_PAYLOAD:
        raise bad("INVOICE_PAYLOAD_INVALID")
    markup, room = read_markup(call.params), call.room()
    message = send(call, room, {**read_options(call, room), "invoice": invoice}, markup)
    call.account.payloads[room.id, message["message_id"]] = payload
    return message


def pay(scene: Scene, message_id: int) -> str:
    """A person pays a bill; the id of the pre-checkout query, which the bot must answer in 10 s.

    Raises: Impossible when the message is no bill.
    """
    stored, account = scene.message(message_id), scene.account
    if "invoice" not in stored.json:
        raise Impossible(f"Message {message_id} is no bill.")
    query = Query(scene.world.number(), scene.room.id, scene.person.id, scene.world.clock())
    ask(account.checkouts, query)
    facts = {
        "currency": STARS,
        "total_amount": stored.json["invoice"]["total_amount"],
        "invoice_payload": account.payloads[scene.room.id, message_id],
    }
    query.results = {"": facts}
    scene.put("pre_checkout_query", {"id": query.id, "from": scene.person.user, **facts})
    return query.id


def answer_pre_checkout_query(call: Call) -> bool:
    """Take the money, which the chat is told of, or refuse it."""
    query = call.account.checkouts.get(call.params.text("pre_checkout_query_id"))
    expired = query is None or call.world.clock() - query.asked > CHECKOUT_LIFE
    if query is None or expired or query.answered:
        raise bad(TOO_OLD)
    query.answered = True
    scene = open_scene(call.world, call.account, query.chat_id, query.person_id)
    if not call.params.flag("ok"):
        scene.happen("refusal", query_id=query.id, text=call.params.text("error_message"))
        return True
    charge = {"telegram_payment_charge_id": call.world.number(), "provider_payment_charge_id": ""}
    receipt = {**query.results[""], **charge}
    call.account.charges[charge["telegram_payment_charge_id"]] = (scene.person.id, receipt)
    _announce(scene, {"successful_payment": receipt})
    return True


def refund_star_payment(call: Call) -> bool:
    """Give the Stars of a payment back, once; the chat is told of it."""
    charge_id, charges = call.params.text("telegram_payment_charge_id"), call.account.charges
    person_id, receipt = charges.get(charge_id, (0, {}))
    if not receipt and person_id:
        raise bad("CHARGE_ALREADY_REFUNDED")
    if not receipt or person_id != call.params.integer("user_id"):
        raise bad("CHARGE_NOT_FOUND")
    charges[charge_id] = (person_id, {})
    scene = open_scene(call.world, call.account, person_id, person_id)
    _announce(scene, {"refunded_payment": receipt})
    return True


def _announce(scene: Scene, content: Json) -> None:
    scene.announce(deliver(scene.world, scene.room, content, sender=scene.person.user))


def _read_invoice(call: Call) -> Json:
    invoice: Json = {}
    for name, longest in LONGEST.items():
        text = call.params.text(name)
        if not text:
            raise bad(f"invoice {name} is empty")
        if units(text) > longest:
            raise bad(f"INVOICE_{name.upper()}_INVALID")
        invoice[name] = text
    prices: Any = call.params.json("prices", "prices")
    if call.params.text("currency") != STARS:
        raise bad("the sandbox does not simulate money other than Telegram Stars (XTR)")
    if not isinstance(prices, list):
        raise bad("expected an Array of LabeledPrice")
    amount = as_integer(prices[0].get("amount")) if len(prices) == 1 else 0
    if amount <= 0:
        raise bad("STARS_INVOICE_INVALID")
    return {**invoice, "start_parameter": "", "currency": STARS, "total_amount": amount}
