"""The captcha."""

import re

import pytest

from bot.testing import Person, View


@pytest.fixture
def joiner(group: View, bob: Person) -> Person:
    """Bob, who is not in the group and asks to be let in."""
    group.make_bot("administrator")
    bob.leave(group)
    bob.ask_to_join(group)
    return bob


def sums(person: Person) -> tuple[str, list[str]]:
    """The right answer to the question that a person was put, and the wrong ones."""
    numbers = re.findall(r"\d+", person.last)
    right = str(sum(int(number) for number in numbers))
    return right, [label for label in person.buttons if label != right]


def test_the_right_answer_opens(joiner: Person, group: View) -> None:
    """One tap, and they are in."""
    right, _ = sums(joiner)
    joiner.tap(right)
    assert joiner.last == "Right. Come in!"
    assert joiner.kit.calls("approveChatJoinRequest")[0]["user_id"] == str(joiner.id)


def test_two_wrong_answers_close(joiner: Person) -> None:
    """One may be tried again."""
    _, wrong = sums(joiner)
    assert joiner.tap(wrong[0]) == "That is not it. Try again."
    joiner.tap(wrong[0])
    assert joiner.last.startswith("Wrong again.")
    assert len(joiner.kit.calls("declineChatJoinRequest")) == 1


def test_asking_again_gives_another_sum(joiner: Person, group: View) -> None:
    """The newest one counts, and the tries begin anew."""
    _, wrong = sums(joiner)
    joiner.tap(wrong[0])
    joiner.ask_to_join(group)
    right, wrong = sums(joiner)
    joiner.tap(wrong[0])
    joiner.tap(right)
    assert joiner.last == "Right. Come in!"


def test_a_button_that_has_done_its_duty(joiner: Person) -> None:
    """A tap that comes late, or is not theirs, changes nothing."""
    right, _ = sums(joiner)
    question = joiner.messages[-1]
    joiner.tap(right)
    data = question["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    joiner.kit.push(
        {
            "callback_query": {
                "id": "1",
                "from": joiner.user,
                "message": question,
                "chat_instance": "1",
                "data": data,
            }
        }
    )
    assert joiner.last == "That is over."
