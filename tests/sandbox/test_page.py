"""The chat page's own side: who may use it, what it asks and does, and the stream it follows."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import sandbox
from sandbox.account import SANDBOX_BOT as FIRST_BOT
from sandbox.guard import Guard
from sandbox.page import make_page
from sandbox.roster import Roster
from sandbox.telegram import Telegram
from sandbox.views import image_type, stream
from tests.sandbox.serving import ALICE, TOKEN, serving

BOB = 1002
GROUP = -1001000000001
CHANNEL = -1002000000001
OURS = {"Origin": "http://localhost"}
STATIC = Path(sandbox.__file__).parent / "static"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0"


@pytest.fixture
def telegram() -> Telegram:
    """A sandbox in which Alice has started the bot."""
    telegram = Telegram()
    telegram.call(TOKEN, "getMe", {})
    telegram.send(FIRST_BOT, ALICE, ALICE, text="/start")
    return telegram


@pytest.fixture
def roster(telegram: Telegram) -> Roster:
    """The bots of the page."""
    return Roster(telegram)


@pytest.fixture
def client(telegram: Telegram, roster: Roster) -> Iterator[FlaskClient]:
    """The page, without a socket."""
    with make_page(telegram, Guard(), roster).test_client() as client:
        yield client


def place(**more: object) -> dict[str, object]:
    """Alice's private chat with the bot."""
    return {"bot": FIRST_BOT, "chat": ALICE, "person": ALICE, **more}


def ask(client: FlaskClient, name: str, **query: object) -> Any:
    """What the page reads."""
    response = client.get(f"/app/{name}", query_string=query)
    assert response.status_code == 200, response.text
    return response.get_json()


def do(client: FlaskClient, name: str, **fields: object) -> dict[str, object]:
    """Do something as Alice in her private chat, as the page does."""
    response = client.post(f"/app/{name}", json=place(**fields), headers=OURS)
    assert response.status_code == 200, response.text
    body: dict[str, object] = response.get_json()
    return body


def bot_says(telegram: Telegram, text: str, **params: object) -> int:
    """The bot writes to Alice; the message's number."""
    answer = telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": text, **params})
    number: int = answer.body["result"]["message_id"]
    return number


# Who may use it


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "", "localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/", "/app/state", "/static/app.js"])
def test_another_name_is_refused(client: FlaskClient, host: str, path: str) -> None:
    """A name that somebody pointed at 127.0.0.1 does not get the page (DNS rebinding)."""
    assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8081", "127.0.0.1:1", "[::1]", "[::1]:8081"]
)
def test_the_loopback_names_are_ours(client: FlaskClient, host: str) -> None:
    """The page opens under every name of this machine for itself."""
    assert client.get("/app/state", headers={"Host": host}).status_code == 200


def test_a_name_may_be_added(telegram: Telegram, roster: Roster) -> None:
    """The host that the sandbox was told to bind is a name of its own."""
    client = make_page(telegram, Guard(["sandbox.lan"]), roster).test_client()
    assert client.get("/app/state", headers={"Host": "sandbox.lan:8081"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost", "Host": "evil.example"},
        {"Origin": "http://evil.example", "Host": "evil.example"},
    ],
)
def test_deeds_need_our_own_origin(
    client: FlaskClient, telegram: Telegram, headers: dict[str, str]
) -> None:
    """A page elsewhere cannot write in the sandbox, whatever it sends."""
    response = client.post("/app/send", json=place(text="hi"), headers=headers)
    assert response.status_code in (403, 421)
    assert len(telegram.history(FIRST_BOT, ALICE)) == 1


def test_every_answer_carries_the_policy(client: FlaskClient) -> None:
    """No script but our files, no frame around the page, no guessing of types."""
    for path in ("/", "/static/style.css", "/app/state", "/nothing"):
        headers = client.get(path, buffered=True).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No file of another host, no inline script or style, and no data parsed as HTML."""
    for path in STATIC.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(src|href|url|import|from)\s*[=(]?\s*["']https?:""", text), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text
        )
        if path.suffix == ".html":
            assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", text)


def test_the_index_and_its_files_are_there(client: FlaskClient) -> None:
    """Every file that the page or a module names is served."""
    names = set(re.findall(r"/static/([\w.]+)", (STATIC / "index.html").read_text("utf-8")))
    for module in STATIC.glob("*.js"):
        names |= set(re.findall(r'from "\./([\w.]+)"', module.read_text("utf-8")))
    assert {"app.js", "style.css", "icon.svg"} <= names
    assert client.get("/", buffered=True).mimetype == "text/html"
    for name in names:
        assert client.get(f"/static/{name}", buffered=True).status_code == 200, name


# What it asks


def test_the_state_lists_the_cast(client: FlaskClient) -> None:
    """The page begins with the people, the owner first, and the bot that is to come."""
    state = ask(client, "state")
    assert [who["first_name"] for who in state["people"]] == ["Alice", "Bob", "Вера", "Dan"]
    assert [who["owner"] for who in state["people"]] == [True, False, False, False]
    assert state["bots"][0]["username"] == "sandbox_bot" and state["bots"][0]["online"] is False
    assert {room["id"] for room in state["rooms"]} == {GROUP, CHANNEL}
    assert "sendMessage" in state["methods"] and state["last"] >= 1


def test_the_state_brings_the_last_calls_newest_first(
    client: FlaskClient, telegram: Telegram
) -> None:
    """A page that is opened late still shows the calls."""
    number = bot_says(telegram, "hello")
    call = ask(client, "state")["calls"][0]
    assert call["method"] == "sendMessage" and call["params"]["text"] == "hello"
    assert call["messages"] == [{"chat_id": ALICE, "message_id": number}]
    assert TOKEN not in json.dumps(call)


def test_the_chats_of_a_person(client: FlaskClient, telegram: Telegram) -> None:
    """The private chat is called as the bot is; the shared ones say how many are in them."""
    bot_says(telegram, "Choose", reply_markup={"keyboard": [["A"]]})
    chats = ask(client, "chats", bot=FIRST_BOT, person=ALICE)["chats"]
    private, group = chats[0], next(chat for chat in chats if chat["id"] == GROUP)
    assert (private["title"], private["type"], private["blocked"]) == (
        "Sandbox bot",
        "private",
        False,
    )
    assert private["keyboard"]["keyboard"] == [[{"text": "A"}]]
    assert private["last"]["text"] == "Choose"
    assert (group["title"], group["members"], group["inside"]) == ("Steady team", 5, True)


def test_a_bot_nobody_heard_of_has_the_same_chats(client: FlaskClient) -> None:
    """The page may ask before the bot's first call."""
    chats = ask(client, "chats", bot=77, person=BOB)["chats"]
    assert len(chats) == 3


def test_the_history_comes_in_pages(client: FlaskClient, telegram: Telegram) -> None:
    """The newest hundred first, the older ones on demand."""
    numbers = [bot_says(telegram, str(each)) for each in range(120)]
    last = ask(client, "history", bot=FIRST_BOT, chat=ALICE)
    assert last["more"] and [m["message_id"] for m in last["messages"]] == numbers[-100:]
    older = ask(client, "history", bot=FIRST_BOT, chat=ALICE, before=numbers[-100])
    assert not older["more"] and len(older["messages"]) == 21


def test_the_commands_are_those_that_the_bot_set(client: FlaskClient, telegram: Telegram) -> None:
    """The "/" menu follows setMyCommands."""
    commands = [{"command": "start", "description": "Start here"}]
    telegram.call(TOKEN, "setMyCommands", {"commands": json.dumps(commands)})
    assert ask(client, "commands", **place())["commands"] == commands


@pytest.mark.parametrize(
    ("query", "text"),
    [("", "bot is missing"), ("bot=x", "bot must be a whole number"), ("bot=", "bot is missing")],
)
def test_a_question_that_misses_something_is_explained(
    client: FlaskClient, query: str, text: str
) -> None:
    """The answer names the field."""
    response = client.get(f"/app/history?{query}")
    assert response.status_code == 400 and text in response.get_json()["error"]


# What it does


def test_a_text_is_sent(client: FlaskClient, telegram: Telegram) -> None:
    """Alice writes, in answer to a message."""
    number = bot_says(telegram, "How are you?")
    do(client, "send", text="Fine", reply_to=number)
    message = telegram.history(FIRST_BOT, ALICE)[-1]
    assert message["text"] == "Fine" and message["reply_to_message"]["message_id"] == number


def test_a_photo_and_a_document_are_sent(client: FlaskClient, telegram: Telegram) -> None:
    """Uploads come as a form; what is no picture is downloaded, never shown."""
    for kind, name, data in (("photo", "sea.png", PNG), ("document", "x.html", b"<script>")):
        form = {**place(caption="See"), kind: (io.BytesIO(data), name)}
        response = client.post("/app/send", data=form, headers=OURS)
        assert response.status_code == 200, response.text
    photo, document = telegram.history(FIRST_BOT, ALICE)[-2:]
    shown = client.get(f"/app/file/{photo['photo'][-1]['file_id']}", buffered=True)
    assert (shown.mimetype, shown.data) == ("image/png", PNG)
    saved = client.get(f"/app/file/{document['document']['file_id']}", buffered=True)
    assert saved.mimetype == "application/octet-stream"
    assert saved.headers["Content-Disposition"] == "attachment; filename=x.html"
    assert client.get("/app/file/nothing").status_code == 404


def test_a_message_is_edited(client: FlaskClient, telegram: Telegram) -> None:
    """Alice corrects herself."""
    message = telegram.send(FIRST_BOT, ALICE, ALICE, text="Helo")
    do(client, "edit", message=message["message_id"], text="Hello")
    assert telegram.history(FIRST_BOT, ALICE)[-1]["text"] == "Hello"


def test_a_button_is_pressed(client: FlaskClient, telegram: Telegram) -> None:
    """The bot gets a callback query with the button's data."""
    keys = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    number = bot_says(telegram, "Sure?", reply_markup=keys)
    query = do(client, "press", message=number, data="y")["query"]
    updates = telegram.call(TOKEN, "getUpdates", {"timeout": 0}).body["result"]
    assert updates[-1]["callback_query"]["id"] == query


def test_a_vote_and_a_reaction_reach_the_bot(client: FlaskClient, telegram: Telegram) -> None:
    """Polls and reactions are updates of their own."""
    kinds = json.dumps(["message_reaction", "poll_answer"])
    telegram.call(TOKEN, "getUpdates", {"timeout": 0, "allowed_updates": kinds})
    poll = {"chat_id": ALICE, "question": "Tea?", "options": '["Yes","No"]', "is_anonymous": False}
    number = telegram.call(TOKEN, "sendPoll", poll).body["result"]["message_id"]
    do(client, "vote", message=number, options=[1])
    do(client, "react", message=number, emoji="👍")
    do(client, "react", message=number, emoji=None)
    updates = telegram.call(TOKEN, "getUpdates", {"offset": -3, "timeout": 0}).body["result"]
    found = [next(key for key in update if key != "update_id") for update in updates]
    assert found == ["poll_answer", "message_reaction", "message_reaction"]


def test_the_bot_is_blocked_and_let_in_again(client: FlaskClient, telegram: Telegram) -> None:
    """A blocked bot gets a 403."""
    do(client, "block", blocked=True)
    assert telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": "x"}).status == 403
    do(client, "block", blocked=False)
    assert telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": "x"}).status == 200


def test_a_person_leaves_and_joins_the_group(client: FlaskClient) -> None:
    """Bob is out, then in again."""
    for status, inside in (("left", False), ("member", True)):
        do(client, "member", chat=GROUP, person=BOB, status=status)
        chats = ask(client, "chats", bot=FIRST_BOT, person=BOB)["chats"]
        assert next(chat for chat in chats if chat["id"] == GROUP)["inside"] is inside


def test_the_channel_gets_a_post(client: FlaskClient) -> None:
    """The owner posts in the channel's name."""
    do(client, "post", chat=CHANNEL, text="News")
    assert ask(client, "history", bot=FIRST_BOT, chat=CHANNEL)["messages"][-1]["text"] == "News"


def test_faults_are_switched_on_and_healed(client: FlaskClient, telegram: Telegram) -> None:
    """The page lists what is on."""
    do(client, "fail", kind="429", method="sendMessage", chat=ALICE, times=2, value=3)
    expected = {"kind": "429", "method": "sendMessage", "chat": ALICE, "times": 2, "value": 3}
    assert ask(client, "faults")["faults"] == [expected]
    assert telegram.call(TOKEN, "sendMessage", {"chat_id": ALICE, "text": "x"}).status == 429
    do(client, "heal")
    assert ask(client, "faults")["faults"] == []


@pytest.mark.parametrize(
    ("name", "fields", "status", "text"),
    [
        ("send", {"text": ""}, 409, "text"),
        ("send", {"text": 5}, 400, "text must be a text"),
        ("edit", {"message": 99, "text": "x"}, 409, "no message 99"),
        ("press", {"message": "y", "data": "x"}, 400, "message must be a whole number"),
        ("vote", {"message": 1, "options": "0"}, 400, "list of whole numbers"),
        ("member", {"status": "creator"}, 400, "status must be one of"),
        ("fail", {"kind": "weather"}, 400, "weather"),
    ],
)
def test_what_cannot_be_done_is_explained(
    client: FlaskClient, name: str, fields: dict[str, object], status: int, text: str
) -> None:
    """The page shows the reason to the person."""
    response = client.post(f"/app/{name}", json=place(**fields), headers=OURS)
    assert response.status_code == status and text in response.get_json()["error"]


def test_a_deed_without_json_is_explained(client: FlaskClient) -> None:
    """A body that is no object is refused."""
    response = client.post("/app/send", data="[", headers=OURS, content_type="application/json")
    assert response.status_code == 400


# What happens


def test_the_stream_begins_with_the_run_and_goes_on(telegram: Telegram) -> None:
    """First which sandbox this is, then the happenings with their numbers, then the bots."""
    bots = [{"id": 1, "online": True}]
    events = list(islice(stream("run", 0, telegram.feed, lambda: bots), 3))
    assert events[0] == "retry: 1000\nevent: boot\ndata: run\n\n"
    blocks = events[1].split("\n\n")[:-1]
    assert [block.split("\n")[0] for block in blocks] == [
        f"id: {n + 1}" for n in range(len(blocks))
    ]
    assert '"text": "/start"' in events[1]
    assert events[2] == f"event: bots\ndata: {json.dumps(bots)}\n\n"


def test_a_quiet_stream_shows_that_it_lives() -> None:
    """A comment goes out when nothing happens, and the bots only when they changed."""
    asked = []

    def nothing(after: int, *, timeout: float) -> list[dict[str, object]]:
        asked.append((after, timeout > 0))
        return []

    events = list(islice(stream("run", 7, nothing, list), 3))
    assert events[1:] == [": nothing new\n\n"] * 2
    assert asked == [(7, True)] * 2


def test_a_page_comes_back_where_it_was(telegram: Telegram, client: FlaskClient) -> None:
    """The browser says the last number that it saw, and hears nothing twice."""
    bot_says(telegram, "after the break")
    last = telegram.feed(0)[-1]["n"]
    response = client.get(
        "/app/feed?after=0", headers={"Last-Event-ID": str(last - 1)}, buffered=False
    )
    first, second = (str(event) for event in islice(response.iter_encoded(), 2))
    response.close()
    assert "event: boot" in first
    assert f"id: {last}" in second and second.count("id: ") == 1


def test_the_stream_over_a_socket(telegram: Telegram) -> None:
    """Happenings arrive while the connection stays open."""
    with serving(telegram) as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET /app/feed?after=999 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        while b"event: boot" not in seen:
            seen += connection.recv(65536)
        assert b"text/event-stream" in seen and b"Content-Length" not in seen


# The bots


def test_the_roster_knows_bots_by_their_calls(telegram: Telegram) -> None:
    """A bot is online for a minute after a call; one is shown before any has called."""
    time = 100.0
    roster = Roster(telegram, lambda: time)
    assert [(bot["username"], bot["online"]) for bot in roster.bots()] == [("sandbox_bot", False)]
    for token in ("42:right_right", TOKEN):
        telegram.call(token, "getMe", {})
        roster.hear(token)
    assert [bot["username"] for bot in roster.bots()] == ["bot42_bot", "sandbox_bot"]
    time += 61
    roster.hear("42:right_right")
    assert [bot["online"] for bot in roster.bots()] == [True, False]
    assert roster.knows("42:right_right") and not roster.knows("42:wrong_wrong")


def test_pictures_are_known_by_their_first_bytes() -> None:
    """A name or a declared type does not make a picture."""
    starts = {b"\xff\xd8\xff": "image/jpeg", b"GIF89a": "image/gif", PNG: "image/png"}
    assert {start: image_type(start) for start in starts} == starts
    assert image_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert image_type(b"<svg xmlns=") is None


def test_a_chat_is_recorded(client: FlaskClient, telegram: Telegram) -> None:
    """The one that was asked for, or that of the newest message; there must be one."""
    telegram.send(FIRST_BOT, BOB, BOB, text="hello")
    assert 'bob.send("hello")' in ask(client, "recording")["test"]
    assert 'alice.send("/start")' in ask(client, "recording", bot=FIRST_BOT, chat=ALICE)["test"]
    with make_page(Telegram(), Guard(), Roster(Telegram())).test_client() as empty:
        assert empty.get("/app/recording").status_code == 404
