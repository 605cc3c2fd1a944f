"""The survey."""

from bot.testing import ChatKit, Person


def test_the_way_of_tea(alice: Person, bob: Person) -> None:
    """Its own question, and the summary at the end."""
    assert bob.send("/survey") == ["Tea or coffee?"]
    assert bob.send("Tea") == ["With milk?"]
    keys = bob.messages[-1]["keyboard"]["keyboard"]
    assert [key["text"] for row in keys for key in row] == ["Yes", "No", "Back"]
    assert bob.send("No") == ["What do you wish for?"]
    assert bob.send("Biscuits") == [
        "Thank you!\nTea or coffee? Tea\nWith milk? No\nWhat do you wish for? Biscuits"
    ]
    assert "Biscuits" in alice.send("/surveys")[0]


def test_back_and_another_way(bob: Person) -> None:
    """What was answered on the way that was left is not in the summary."""
    for text in ("/survey", "Tea", "Yes", "Back", "Back", "Coffee", "3", "Quiet"):
        bob.send(text)
    bob.expect("Coffee\nHow many cups a day? 3\nWhat do you wish for? Quiet")
    assert "milk" not in bob.last


def test_wrong_answers_are_asked_again(kit: ChatKit, bob: Person) -> None:
    """Also after the bot was killed."""
    bob.send("/survey")
    assert bob.send("Water") == ["Please choose. Tea or coffee?"]
    bob.send("Coffee")
    kit.restart()
    assert bob.send("many") == ["A number, please. How many cups a day?"]
    assert bob.send("/cancel") == ["Cancelled."]
