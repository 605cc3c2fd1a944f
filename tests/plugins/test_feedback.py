"""Feedback: to the owners, and their answers back."""

from __future__ import annotations

from bot.testing import ChatKit, Person
from models import User
from staff import Message


def reply(kit: ChatKit, person: Person, text: str, *, to: int = -1) -> list[str]:
    """Answer one of the bot's messages, by default its newest."""
    before, target = len(person.texts), person.messages[to]["message_id"]
    kit.telegram.send(kit.bot_id, person.id, person.id, text=text, reply_to=target)
    kit.step()
    return person.texts[before:]


def test_a_text_goes_to_the_owners_and_the_answer_comes_back(kit_with_owner: ChatKit) -> None:
    """Over a restart; the person sees nothing but the answer."""
    kit = kit_with_owner
    assert kit.bob.send("/feedback The tea is cold") == [
        "Thank you, it is on its way. The answer will come here."
    ]
    assert kit.alice.last == "✉️ Bob (@bob)\nThe tea is cold"
    kit.restart()
    assert reply(kit, kit.alice, "We shall warm it") == ["Delivered."]
    assert kit.bob.last == "We shall warm it"


def test_a_file_is_asked_for_and_carried(kit_with_owner: ChatKit) -> None:
    """An answer to either of the owner's two messages finds the way."""
    kit = kit_with_owner
    kit.vera.send("/feedback")
    assert kit.vera.last.startswith("Что вы хотите сказать?")
    kit.vera.send_file("tea.txt", b"cold", caption="Холодный")
    assert kit.vera.last == "Спасибо, передаю. Ответ придёт сюда."
    head, body = kit.alice.messages[-2:]
    assert head["text"] == "✉️ Вера (@vera)\nХолодный" and body["document"]
    for to in (-2, -2):
        assert reply(kit, kit.alice, f"Answer {to}", to=to) == ["Delivered."]
    assert kit.vera.last == "Answer -2"


def test_other_replies_are_no_answers(kit_with_owner: ChatKit) -> None:
    """Only those to a letter are carried anywhere."""
    kit = kit_with_owner
    kit.alice.send("/help")
    assert "did not understand" in reply(kit, kit.alice, "Hm")[0]


def test_the_owner_learns_that_nobody_reads_it(kit_with_owner: ChatKit) -> None:
    """The person has blocked the bot; and nobody may be there to read feedback."""
    kit = kit_with_owner
    kit.bob.send("/feedback Bye")
    kit.bob.block()
    assert "could not be delivered" in reply(kit, kit.alice, "Stay!")[0]
    kit.alice.block()
    assert kit.dan.send("/feedback Hi") == ["I could not reach anybody. Please try again later."]


def test_a_chat_of_its_own_by_a_setting(kit_with_owner: ChatKit) -> None:
    """It is for the whole team then."""
    kit = kit_with_owner
    kit.preferences.set("feedback", "chat", kit.group.id)
    kit.bob.send("/feedback To all")
    assert kit.group.last == "✉️ Bob (@bob)\nTo all" and "To all" not in str(kit.alice.texts)
    letter = kit.group.messages[-1]["message_id"]
    kit.telegram.send(kit.bot_id, kit.group.id, 1004, text="From Dan", reply_to=letter)
    kit.step()
    assert kit.bob.last == "From Dan" and User.get(User.telegram_id == 1002).role == "user"


def kept(person: Person) -> list[tuple[str, str]]:
    """What the team reads in the panel of somebody."""
    rows = Message.select().where(Message.chat_id == person.id, Message.state == "received")
    return [(row.kind, row.text) for row in rows.order_by(Message.id)]


def test_feedback_is_kept_for_the_team(kit_with_owner: ChatKit) -> None:
    """Beside what the owners get in their chats; of a command only what was said."""
    kit = kit_with_owner
    kit.bob.send("/feedback The tea is cold")
    kit.bob.send("/feedback")
    kit.bob.send_document("tea.txt", caption="See")
    assert kept(kit.bob) == [("text", "The tea is cold"), ("document", "tea.txt\nSee")]
    assert "✉️ Bob (@bob)\nThe tea is cold" in kit.alice.texts


def test_feedback_from_a_group_is_answered_in_private(kit_with_owner: ChatKit) -> None:
    """It is a conversation with the person, not with the group."""
    kit = kit_with_owner
    kit.bob.send("/feedback@sandbox_bot Psst", to=kit.group)
    assert kept(kit.bob) == [("text", "Psst")] and Message.select().count() == 1


def test_without_owners_feedback_reaches_the_panel(kit: ChatKit) -> None:
    """There is somebody to read it: the team."""
    kit.core.seats[0].runtime.owner_ids = frozenset()
    said = kit.bob.send("/feedback Hello")
    assert said == ["Thank you, it is on its way. The answer will come here."]
    assert kept(kit.bob) == [("text", "Hello")]
