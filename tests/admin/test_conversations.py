"""Conversations: the inbox of the team, its answers, and who has taken a chat over."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from database import now
from models import Bot, Chat, Status, User
from services import messages, outgoing, takeovers
from services.audit import TERMINAL
from services.messages import Received, State
from services.sessions import IDLE
from staff import Admin, AuditEntry, Message, StaffRole, Takeover
from tests.admin.conftest import Browser, Clock, Visit

BOT, BOB, GROUP = 7, 1002, -100500
THREAD = f"/conversations/{BOT}/{BOB}"
XSS = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7777*7777 }}'
JSON = {"Accept": "application/json"}


@pytest.fixture
def bob(database: object) -> User:
    """Somebody whom the bot knows, and a group it is in."""
    Bot.create(id=BOT, username="tea_bot", name="Tea")
    place = {"kind": "supergroup", "title": "Tea party", "membership": "member"}
    Chat.create(bot_id=BOT, telegram_id=GROUP, **place)
    return User.create(telegram_id=BOB, first_name="Bob", username="bob")


def hear(user: User | None, text: str, *, kind: str = "text", chat_id: int = BOB) -> Message:
    """Have somebody write to the team."""
    letter = Received(BOT, chat_id, user.id if user else None, kind, text)
    messages.receive([letter], now())
    return Message.select().order_by(Message.id.desc()).get()


def say(browser: Browser, text: str, path: str = THREAD) -> TestResponse:
    """Answer from the page."""
    return browser.post_form(f"{path}/send", path, text=text)


def test_an_empty_inbox_says_what_comes_there(visit: Visit, bob: User) -> None:
    """And how to begin."""
    page = visit(StaffRole.VIEWER).get("/conversations/")
    assert "Nobody has written yet" in page.text and "/feedback" in page.text


def test_what_a_person_wrote_is_there(visit: Visit, bob: User) -> None:
    """In the list, with how much is unread, and in the thread."""
    hear(bob, "The tea is cold")
    hear(bob, "Really", kind="photo")
    browser = visit(StaffRole.VIEWER)
    listed = browser.get("/conversations/").text
    assert f'href="{THREAD}"' in listed and "<b>Bob</b>" in listed
    assert "Really" in listed and 'title="Unread">2<' in listed
    opened = browser.get(THREAD).text
    assert "The tea is cold" in opened and f'href="/users/{bob.id}"' in opened
    assert Message.select().where(Message.read_at.is_null()).count() == 2  # a GET changes nothing


def test_an_answer_is_queued_and_on_record(visit: Visit, bob: User) -> None:
    """With who wrote it; what was read before counts as read; the audit log has no text."""
    hear(bob, "Hello?")
    browser = visit(StaffRole.OPERATOR)
    assert say(browser, "We are here").location == THREAD
    sent = Message.select().where(Message.state == "queued").get()
    assert (sent.text, sent.user_id, sent.chat_id) == ("We are here", bob.id, BOB)
    assert sent.admin == Admin.get(Admin.name == "operator")
    assert Message.select().where(Message.read_at.is_null(False)).count() == 1
    entry = AuditEntry.get()
    assert (entry.action, entry.target) == ("message.send", f"user:{bob.id}")
    assert "We are here" not in str(entry.__data__) and str(BOB) not in str(entry.__data__)
    assert 'data-state="queued"' in browser.get(THREAD).text


def test_a_viewer_cannot_write(visit: Visit, bob: User) -> None:
    """There is no form either."""
    browser = visit(StaffRole.VIEWER)
    assert "data-write" not in browser.get(THREAD).text
    assert say(browser, "x").status_code == 403 and Message.select().count() == 0


@pytest.mark.parametrize("text", ["", "  ", "x" * 4097])
def test_what_cannot_be_sent_is_refused_in_words(visit: Visit, bob: User, text: str) -> None:
    """And what was typed is not lost; a script gets the sentence alone."""
    browser = visit(StaffRole.OPERATOR)
    answer = say(browser, text)
    assert answer.status_code == 400 and 'role="alert"' in answer.text
    assert text.strip() in answer.text and Message.select().count() == 0
    fields = {"csrf_token": browser.token(THREAD), "text": text}
    told = browser.post(f"{THREAD}/send", data=fields, headers=JSON)
    assert told.status_code == 400 and told.json and told.json["said"].endswith(".")


def test_a_person_can_be_written_to_first(visit: Visit, bob: User) -> None:
    """Without any message yet; a link by the row's id leads there."""
    browser = visit(StaffRole.OPERATOR)
    page = browser.get(THREAD)
    assert page.status_code == 200 and "What you write is sent by Tea" in page.text
    assert browser.get(f"/conversations/to/{bob.id}").location == THREAD
    Bot.create(id=9, username="other_bot", name="Other")
    messages.receive([Received(9, BOB, bob.id, "text", "hi")], now())
    assert browser.get(f"/conversations/to/{bob.id}").location == f"/conversations/9/{BOB}"
    assert browser.get("/conversations/to/999").status_code == 404


def test_taking_over_and_handing_back(visit: Visit, bob: User) -> None:
    """Everybody sees who has it; a second one is told; both are on record."""
    browser = visit(StaffRole.OPERATOR)
    browser.post_form(f"{THREAD}/take", THREAD)
    assert Takeover.get().admin == Admin.get(Admin.name == "operator")
    assert "Taken over by you" in browser.get(THREAD).text
    other = visit(StaffRole.ADMIN)
    assert "Taken over by operator" in other.get(THREAD).text
    other.post_form(f"{THREAD}/take", THREAD)
    assert "operator was quicker" in other.get(THREAD).text
    browser.post_form(f"{THREAD}/take", THREAD)  # once more changes nothing
    browser.post_form(f"{THREAD}/hand-back", THREAD)
    browser.post_form(f"{THREAD}/hand-back", THREAD)
    assert Takeover.select().count() == 0
    done = [(entry.action, entry.target) for entry in AuditEntry.select().order_by(AuditEntry.id)]
    assert done == [("chat.take", f"user:{bob.id}"), ("chat.hand_back", f"user:{bob.id}")]


def test_a_bot_is_paused_by_an_admin(visit: Visit, bob: User) -> None:
    """The page says so to everybody, until it is resumed."""
    refused = visit(StaffRole.OPERATOR).post_form(f"/conversations/{BOT}/pause", THREAD)
    assert refused.status_code == 403
    browser = visit(StaffRole.ADMIN)
    browser.post_form(f"/conversations/{BOT}/pause", "/conversations/")
    assert (Takeover.get().bot_id, Takeover.get().chat_id) == (BOT, takeovers.EVERYWHERE)
    banner = visit(StaffRole.VIEWER).get("/conversations/").text
    assert "<b>Tea is paused</b>: admin has made it silent" in banner and "Resume" not in banner
    assert "The bot answers here" not in browser.get(THREAD).text
    browser.post_form(f"/conversations/{BOT}/resume", "/conversations/")
    assert "The bot answers here" in browser.get(THREAD).text
    assert "Tea is paused" not in browser.get("/conversations/").text
    done = [(entry.action, entry.target) for entry in AuditEntry.select().order_by(AuditEntry.id)]
    assert done == [("bot.pause", f"bot:{BOT}"), ("bot.resume", f"bot:{BOT}")]


def test_who_left_the_team_still_has_a_name(visit: Visit, bob: User) -> None:
    """A takeover outlives its account, and anybody may hand it back."""
    admin = Admin.create(name="Gone")
    Takeover.create(bot_id=BOT, chat_id=BOB, admin=admin)
    admin.delete_instance()
    browser = visit(StaffRole.OPERATOR)
    assert "Somebody who has left the team" in browser.get(THREAD).text
    browser.post_form(f"{THREAD}/hand-back", THREAD)
    assert Takeover.select().count() == 0


def news(browser: Browser, **asked: Any) -> Any:
    """What the page's script is told."""
    return browser.get("/conversations/news", query_string=asked, headers=JSON).json


def test_news_are_what_came_since(visit: Visit, bob: User) -> None:
    """New messages after one, what became of those on their way, the list when it has changed."""
    first = hear(bob, "one")
    browser = visit(StaffRole.VIEWER)
    told = news(browser, bot=BOT, chat=BOB, after=first.id)
    assert told["messages"] == [] and told["threads"][0]["name"] == "Bob" and told["taken"] == ""
    seen = told["seen"]
    assert "threads" not in news(browser, bot=BOT, chat=BOB, after=first.id, seen=seen)
    sent = messages.send(bot_id=BOT, chat_id=BOB, text="two", user=bob, admin_id=None)
    hear(bob, "three")
    takeovers.take(TERMINAL, BOT, BOB, bob)
    told = news(browser, bot=BOT, chat=BOB, after=sent.id, open=sent.id, seen=seen)
    assert [each["text"] for each in told["messages"]] == ["three"]
    assert [each["state"] for each in told["changed"]] == ["queued"]
    assert told["threads"][0]["unread"] == 2 and told["taken"]
    outgoing.begin(sent.id)
    outgoing.settle(sent.id, State.FAILED, error="The person has blocked the bot.")
    told = news(browser, bot=BOT, chat=BOB, after=sent.id, open=f"{sent.id},x,{2**70}")
    assert told["changed"][0]["error"] == "The person has blocked the bot."


def test_looking_for_news_does_not_keep_a_session_alive(
    visit: Visit, bob: User, clock: Clock
) -> None:
    """A page that is left open signs out like any other; a person's own deed keeps it."""
    browser = visit(StaffRole.VIEWER)
    background = {**JSON, "X-Background": "1"}
    for _ in range(4):
        clock.pass_(minutes=IDLE.total_seconds() / 60 / 3)
        last = browser.get("/conversations/news", headers=background).status_code
    assert last == 401
    browser = visit(StaffRole.VIEWER)
    for _ in range(4):
        clock.pass_(minutes=IDLE.total_seconds() / 60 / 3)
        last = browser.get("/conversations/news", headers=JSON).status_code
    assert last == 200


def test_reading_is_noted_up_to_what_was_seen(visit: Visit, bob: User) -> None:
    """What came in between stays unread."""
    first, second = hear(bob, "one"), hear(bob, "two")
    browser = visit(StaffRole.OPERATOR)
    fields = {"csrf_token": browser.token(THREAD), "message": first.id}
    assert browser.post(f"{THREAD}/read", data=fields, headers=JSON).status_code == 204
    unread = Message.select().where(Message.read_at.is_null())
    assert [message.id for message in unread] == [second.id]
    assert browser.post_form(f"{THREAD}/read", THREAD, message=second.id).location == THREAD
    assert unread.count() == 0


def test_what_did_not_arrive_can_be_sent_again(visit: Visit, bob: User) -> None:
    """By a person's word; what did arrive cannot."""
    lost = messages.send(bot_id=BOT, chat_id=BOB, text="lost", user=bob, admin_id=None)
    outgoing.begin(lost.id)
    browser = visit(StaffRole.OPERATOR)
    for state, after in ((State.UNKNOWN, "queued"), (State.SENT, "sent")):
        outgoing.settle(lost.id, state, error="who knows")
        assert state.value in browser.get(THREAD).text
        browser.post_form(f"{THREAD}/again", THREAD, message=lost.id)
        assert Message.get().state == after
        outgoing.begin(lost.id)
    assert [entry.action for entry in AuditEntry.select()] == ["message.again"]


def test_threads_are_filtered_and_searched(visit: Visit, bob: User) -> None:
    """By what is unread or taken over, by a part of a name in any case, a username or an id."""
    vera = User.create(telegram_id=1003, first_name="Вера", username="Vera_T")
    hear(bob, "from bob")
    hear(vera, "from vera", chat_id=1003)
    hear(vera, "to all", chat_id=GROUP)
    messages.mark_read(BOT, BOB, 2**40)
    takeovers.take(TERMINAL, BOT, BOB, bob)
    browser = visit(StaffRole.VIEWER)

    def found(**asked: str) -> set[str]:
        rows = browser.get("/conversations/news", query_string=asked).json
        return {row["name"] for row in rows["threads"]} if rows else set()

    assert found() == {"Bob", "Вера", "Tea party"}
    assert found(show="unread") == {"Вера", "Tea party"} and found(show="taken") == {"Bob"}
    assert found(q="вер") == found(q="@vera_t") == found(q="vera") == found(q="1003") == {"Вера"}
    assert found(q="PARTY") == found(q=str(GROUP)) == {"Tea party"}
    assert found(q="nobody") == found(q="вер", show="taken") == set()
    assert found(q="bob", show="taken") == {"Bob"}
    assert "Nothing fits" in browser.get("/conversations/?q=nobody").text


def test_a_taken_chat_without_a_message_is_listed(visit: Visit, bob: User) -> None:
    """So that it is not forgotten there."""
    takeovers.take(TERMINAL, BOT, BOB, bob)
    listed = visit(StaffRole.VIEWER).get("/conversations/?show=taken").text
    assert "<b>Bob</b>" in listed


def test_every_text_is_shown_as_text(visit: Visit, bob: User) -> None:
    """Names, messages, errors, titles and what was searched never become markup."""
    User.update(first_name=XSS[:256]).execute()
    Chat.update(title=XSS).execute()
    Bot.update(name=XSS[:64]).execute()
    hear(bob, XSS, kind="photo")
    hear(bob, XSS, chat_id=GROUP)
    sent = messages.send(bot_id=BOT, chat_id=BOB, text=XSS, user=bob, admin_id=None)
    outgoing.begin(sent.id)
    outgoing.settle(sent.id, State.FAILED, error=XSS)
    browser = visit(StaffRole.ADMIN)
    browser.post_form(f"{THREAD}/take", THREAD)
    browser.post_form(f"/conversations/{BOT}/pause", THREAD)
    for path in (THREAD, f"/conversations/{BOT}/{GROUP}", "/conversations/"):
        page = browser.get(path, query_string={"q": XSS[:60]})
        assert page.status_code == 200 and "onerror=" in page.text
        assert "<img src=x" not in page.text and "<script>alert" not in page.text
        assert "60481729" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/?before=abc",
        "/conversations/?before=-",
        f"/conversations/?before={10**20}",
        f"{THREAD}?earlier=x",
        "/conversations/news?chat=1",
        "/conversations/news?bot=x&chat=1",
        f"/conversations/news?bot={BOT}&chat={BOB}&after=%00",
        f"/conversations/{10**20}/1",
        f"/conversations/1/{10**20}",
        f"/conversations/1/-{2**63}",
        "/conversations/abc/1",
        f"/conversations/{BOT}/999",
        f"/conversations/to/{10**20}",
    ],
)
def test_odd_addresses_are_refused(visit: Visit, bob: User, path: str) -> None:
    """Never with an error of ours."""
    assert visit(StaffRole.OWNER).get(path).status_code in (400, 404)


@pytest.mark.parametrize("query", ["q=%00%ed%a0%80", "show=x&show=y", "before=-1", "q=%25_%27"])
def test_odd_searches_find_nothing(visit: Visit, bob: User, query: str) -> None:
    """They are searches like any other."""
    assert visit(StaffRole.VIEWER).get(f"/conversations/?{query}").status_code == 200


def test_odd_forms_are_refused(visit: Visit, bob: User) -> None:
    """A number that is none, a bot and a chat that are not there, a form without its token."""
    browser = visit(StaffRole.OWNER)
    for deed in ("read", "again"):
        assert browser.post_form(f"{THREAD}/{deed}", THREAD, message="x").status_code == 400
    assert browser.post_form("/conversations/99/pause", THREAD).status_code == 404
    assert browser.post_form(f"/conversations/{10**20}/resume", THREAD).status_code == 404
    assert browser.post_form(f"/conversations/{BOT}/999/take", THREAD).status_code == 404
    assert browser.post(f"{THREAD}/send", data={"text": "x"}).status_code == 400
    assert Message.select().count() == Takeover.select().count() == 0


def test_the_banned_can_still_be_answered(visit: Visit, bob: User) -> None:
    """The team may say why."""
    User.update(status=Status.BANNED).execute()
    say(visit(StaffRole.OPERATOR), "You know why")
    assert Message.get().state == "queued"


def test_a_long_thread_is_read_in_parts(visit: Visit, bob: User) -> None:
    """The newest first; a link leads to what was before."""
    for number in range(60):
        hear(bob, f"number {number:02}.")
    browser = visit(StaffRole.VIEWER)
    page = browser.get(THREAD).text
    assert "number 10." in page and "number 09." not in page.split("talk-thread")[1]
    first = Message.select().order_by(Message.id)[10].id
    assert f"?earlier={first}" in page
    earlier = browser.get(f"{THREAD}?earlier={first}").text
    assert "number 00." in earlier and "Newest" in earlier and "data-live" not in earlier
