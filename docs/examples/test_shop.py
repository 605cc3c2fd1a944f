"""The shop."""

from bot.testing import ChatKit, Person


def test_a_cake_is_bought_and_given_back(alice: Person, bob: Person) -> None:
    """From the list to the receipt, and back once."""
    bob.send("/shop")
    bob.tap("A piece of cake: 20 ⭐")
    assert bob.messages[-1]["invoice"]["total_amount"] == 20
    assert bob.pay() == ""
    assert bob.last == "A piece of cake is yours. See what you bought: /orders"
    assert bob.send("/orders") == ["1. A piece of cake: 20 ⭐"]
    assert bob.send("/refund 1") == ["You may not use this command."]
    assert alice.send("/refund 1") == ["20 ⭐ went back."]
    assert alice.send("/refund 1") == ["There is no such order that was paid."]
    assert bob.send("/orders") == ["1. A piece of cake: given back"]


def test_what_is_sold_no_longer_is_refused(kit: ChatKit, bob: Person) -> None:
    """Whether it is still wanted or about to be paid."""
    bob.send("/shop")
    bob.tap("A cup of tea: 5 ⭐")
    kit.registry.commands["shop"].func.__globals__["GOODS"].pop("tea")
    assert bob.pay() == "That is no longer sold."
    assert bob.send("/orders") == ["Nothing yet. Have a look: /shop"]
    bob.send("/shop")
    kit.registry.commands["shop"].func.__globals__["GOODS"].clear()
    assert bob.tap("A piece of cake: 20 ⭐") == "That is no longer sold."
