"""Hostile texts: pages show them as they are, and their structure stays what it is."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from database import Database, now
from models import AnalyticsEvent, Ban, Bot, Conversation, Failure, Status, User
from staff import Admin, StaffNote, StaffRole
from tests.admin.conftest import Visit, make_admin
from tests.admin.payloads import PAYLOADS

Piece = tuple[str, tuple[str, ...]]
HARMLESS = "Zeldarina-Quuxbury"
LINKS = ("href", "src", "action", "formaction")


class Structure(HTMLParser):
    """The tags of a page with their attributes' names, its links, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = list[Piece]()
        self.links = list[str]()
        self.texts = list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in LINKS]
        self.texts += [value or "" for name, value in attrs if name in ("value", "placeholder")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def settle(text: str) -> User:
    """Somebody who wrote a text wherever people, or their plugins, can."""
    named = {"first_name": text, "last_name": text, "username": text, "source": text}
    boss = User.create(telegram_id=1, **named)
    user: User = User.create(
        telegram_id=2, **named, referrer=boss, status=Status.BANNED, last_activity_at=now()
    )
    User.create(telegram_id=3, **named, referrer=user)
    Ban.create(user=user, reason=text, by=boss)
    Bot.create(id=42, username=text, name=text)
    Bot.create(id=43, username=text, name=text)
    for data in ({"text": text}, {text: [text, "x" * 200]}, [text]):
        AnalyticsEvent.create(event_type=text, user=user, data=data)
    Conversation.create(
        bot_id=42, chat_id=2, user_id=2, step=text, data={"text": text}, expires_at=now()
    )
    Failure.create(
        bot_id=42,
        update_id=1,
        plugin="notes",
        handler="save",
        error="ValueError",
        message=text,
        traceback=text,
        fingerprint="x",
        user_id=2,
    )
    StaffNote.create(user=user, admin=Admin.get(), text=text)
    return user


def forget() -> None:
    """Leave nobody behind."""
    for model in (Ban, StaffNote, AnalyticsEvent, Conversation, Failure, Bot, User):
        model.delete().execute()


@pytest.fixture
def pages(database: Database, visit: Visit) -> Callable[[str], dict[str, Structure]]:
    """Every page about people, as one who may do everything sees it, with a text all over."""
    make_admin(StaffRole.OWNER)
    browser = visit(StaffRole.OWNER)

    def show(text: str) -> dict[str, Structure]:
        user = settle(text)
        asked = {"source": text, "type": text}
        found = {
            "list": browser.get("/users/"),
            "searched": browser.get("/users/", query_string={"search": text}),
            "narrowed": browser.get("/users/", query_string=asked | {"role": "user"}),
            "person": browser.get(f"/users/{user.id}"),
            "events": browser.get("/events/"),
            "typed": browser.get("/events/", query_string=asked),
        }
        forget()
        assert {answer.status_code for answer in found.values()} == {200}, text
        return {name: Structure(answer.text) for name, answer in found.items()}

    return show


def test_hostile_texts_are_texts(pages: Callable[[str], dict[str, Structure]]) -> None:
    """With each of 60 payloads a page has the same tags and attributes as with a harmless name.

    The payload is in it as a text, and no link leads anywhere but into the panel.
    """
    harmless, nothing = pages(HARMLESS), {"searched": pages("a z")["searched"].tags}
    assert all(any(HARMLESS in text for text in page.texts) for page in harmless.values())
    for payload in PAYLOADS:
        for name, page in pages(payload).items():
            assert page.tags in (harmless[name].tags, nothing.get(name)), (name, payload)
            whole = " ".join(page.texts).replace("\r\n", "\n")
            assert payload in whole, (name, payload)
            assert all(link.startswith(("/", "#")) for link in page.links), (name, payload)
            assert not any(link.startswith("//") for link in page.links), (name, payload)


def test_the_check_sees_a_text_that_is_not_escaped() -> None:
    """The control: in a page that forgets to escape, the tags or the texts differ."""
    template = '<p title="x">{}</p>'
    harmless = Structure(template.format(HARMLESS))
    seen = [
        payload
        for payload in PAYLOADS
        if (page := Structure(template.format(payload))).tags != harmless.tags
        or payload not in " ".join(page.texts)
    ]
    assert len(seen) >= 50
