"""Privacy: what is held on a person is given out, and after the erasure nothing of it is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.chores import Chores
from bot.testing import ROOT, ChatKit, Person
from database import Database, db, now
from models import AnalyticsEvent, Bot, Conversation, Erasure, Failure, Inbox, Role, Status, User
from sandbox.cast import Person as Cast
from services import analytics, archives, failures, privacy, users
from services.cache import open_cache
from services.snapshots import snapshot
from staff import TABLES

FOLDERS = [ROOT / "plugins", Path(__file__).parent / "personal"]
ID = 7331000042
ZELDA = Cast(ID, "Zeldarina", "Quuxbury", "zelda_quux")
MARKS = (str(ID), "zelda_quux", "Zeldarina", "Quuxbury", "sphinx", "marmalade", "Elm Street")
"""What stands for the person: id, username, names and words of every text of theirs."""


@pytest.fixture
def kit() -> Iterator[ChatKit]:
    """The bot as it is shipped, and two plugins that know people."""
    with ChatKit(FOLDERS) as kit:
        yield kit


@pytest.fixture
def each(database: Database, cache_url: str | None) -> Iterator[ChatKit]:
    """The same on each engine, with each cache and the throttle."""
    kit = ChatKit(FOLDERS, database=database, THROTTLE_RATE="100", THROTTLE_BURST="1000")
    kit.core.parts.cache._store = open_cache(cache_url)._store
    with kit:
        yield kit


@pytest.fixture
def zelda(kit: ChatKit) -> Person:
    """Somebody who has left traces in every place there is."""
    return settle(kit)


def settle(kit: ChatKit) -> Person:
    """Have the person use everything, and others speak of them."""
    kit.alice.send("hello")
    kit.telegram.add_person(ZELDA)
    zelda = Person(kit, dict(ZELDA.user))
    for text in (
        f"/start ref_{kit.alice.id}",
        "hello, this is the sphinx speaking",
        "/note sphinx of black quartz",
        "/diary dear diary, marmalade again",
        "/buy a jar, Elm Street 7",
        "/boom marmalade everywhere",
        "/ask marmalade",
    ):
        zelda.send(text)
    kit.dan.send(f"/start ref_{ID}")
    kit.bob.send(f"/praise {ID}")
    kit.bob.send(f"/boom what {ID} and @zelda_quux said")
    kit.bob.send(f"/ask {ID}")
    keep_unknown(kit)
    kit.switches.set("notes", True, ID)
    users.set_role(User.get(telegram_id=ID), Role.MODERATOR)
    kit.chores()
    return zelda


def keep_unknown(kit: ChatKit) -> None:
    """An update of a kind of the future, which is kept as it came."""
    update = {"thought": {"from": ZELDA.user, "chat": ZELDA.chat, "text": "marmalade thoughts"}}
    kit.telegram.push(kit.bot_id, update)
    kit.step()


def rows(database: Database) -> Iterator[str]:
    """Every row of every table, as text, with JSON and escapes opened."""
    for table in database.get_tables():
        for row in db.execute_sql(f'SELECT * FROM "{table}"').fetchall():
            yield f"{table}: {' | '.join(map(readable, row))}"


def readable(value: Any) -> str:
    """A value as a person would read it."""
    if isinstance(value, str) and value.startswith(("{", "[", '"')):
        value = json.loads(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def cached(kit: ChatKit) -> Iterator[str]:
    """Everything that the cache holds."""
    store: Any = kit.core.parts.cache._store
    if hasattr(store, "_kept"):
        yield from (f"{key}: {json.loads(text)}" for key, (_, text) in store._kept.items())
        return
    for key in store._client.scan_iter():
        yield f"{key!r}: {json.loads(store._client.get(key))}"


def in_memory(kit: ChatKit) -> Iterator[str]:
    """What the process remembers of people."""
    core = kit.core
    yield from map(str, core.conversations._open.items())
    yield from (str(user.__data__) for user in core.inbox.people._known.values())
    yield from map(str, core.throttle._buckets)


def traces(kit: ChatKit) -> list[str]:
    """Where something of the person is left."""
    places = [*rows(kit.database), *cached(kit), *in_memory(kit)]
    return [place for place in places if any(mark.lower() in place.lower() for mark in MARKS)]


def erase(zelda: Person) -> str:
    """Ask to be erased, and say yes; give the receipt."""
    zelda.send("/deleteme")
    zelda.tap("Yes, erase it")
    return zelda.last


def test_the_traces_are_everywhere(each: ChatKit) -> None:
    """Before the erasure the search finds the person in each of the places: it can see."""
    settle(each)
    found = traces(each)
    tables = {place.partition(":")[0] for place in found}
    assert tables >= {
        *("users", "analytics_events", "conversations", "failures", "inbox"),
        *("plugin_switches", "bots", "notes_note", "diary_page", "shop_order"),
    }
    for mark in MARKS:
        assert any(mark in place for place in found), mark
    assert any("diary:7331000042" in place for place in found)
    assert any("'by': 'Zeldarina Quuxbury'" in place for place in found)


def test_nothing_is_left(each: ChatKit) -> None:
    """After /deleteme nothing of the person is in any table, the cache or the memory."""
    receipt = erase(settle(each))
    assert receipt.startswith("Erased. I do not know you any more.\n")
    assert "\nnotes: 1\n" in receipt and "\ndiary: 1\n" in receipt and "\nshop: 1\n" in receipt
    assert traces(each) == []
    each.chores()
    each.restart()
    assert traces(each) == []


def backed_up(kit: ChatKit) -> str:
    """A new backup, unpacked."""
    models = [*TABLES, *(m for plugin in kit.registry.plugins.values() for m in plugin.models)]
    file = io.BytesIO()
    with snapshot(kit.database) as read:
        archives.write(file, read, models, migrations=[], version="1", at=now())
    with zipfile.ZipFile(file) as archive:
        return "\n".join(archive.read(name).decode() for name in archive.namelist())


def test_a_new_backup_has_nothing_of_an_erased_person(each: ChatKit) -> None:
    """Neither the id nor the username, a name or a word of theirs; before, it has all of them."""
    zelda = settle(each)
    before = backed_up(each)
    assert [mark for mark in MARKS if mark not in before] == []
    erase(zelda)
    assert [mark for mark in MARKS if mark.lower() in backed_up(each).lower()] == []


@pytest.mark.parametrize("plugin", ["notes", "diary"])
def test_a_hook_that_is_missing_is_seen(kit: ChatKit, zelda: Person, plugin: str) -> None:
    """Control: without one plugin's hook the same search finds what it kept."""
    del kit.registry.plugins[plugin].hooks["delete_user"]
    erase(zelda)
    assert {place.partition("_")[0] for place in traces(kit)} == {plugin}


def test_everything_is_given_out(kit: ChatKit, zelda: Person) -> None:
    """/mydata sends one JSON file with what the core and three plugins hold."""
    zelda.send("/mydata")
    (sent,) = [message for message in zelda.messages if "document" in message]
    assert sent["document"]["file_name"] == "mydata.json"
    held = document(kit, sent["document"]["file_id"])
    assert held["plugins"] == {
        "diary": ["dear diary, marmalade again"],
        "feedback": [],
        "notes": ["sphinx of black quartz"],
        "shop": {"orders": ["Zeldarina Quuxbury, a jar, Elm Street 7"]},
    }
    core = held["core"]
    assert core["users"][0]["username"] == "zelda_quux" and core["people_invited"] == 1
    assert {"diary_page", "user_referred"} <= {e["event_type"] for e in core["analytics_events"]}
    assert core["conversations"][0]["data"] == {"said": "marmalade"}
    assert "marmalade everywhere" in core["failures"][0]["payload"]
    assert "marmalade thoughts" in core["inbox"][0]["payload"]


def document(kit: ChatKit, file_id: str) -> Any:
    """The JSON of a file that the bot sent."""
    bot = kit.core.seats[0].client.telebot
    return json.loads(bot.download_file(str(bot.get_file(file_id).file_path)))


def test_what_others_have_stays_theirs(kit: ChatKit, zelda: Person) -> None:
    """Their rows and counters stay, without what names the person who was erased."""
    before = analytics.totals()
    erase(zelda)
    after = analytics.totals()
    assert (after.users, after.events) == (before.users - 1, before.events + 1)  # the /deleteme
    praise = AnalyticsEvent.get(event_type="praise")
    assert praise.data == {"whom": None, "words": None, "stars": 5}
    assert praise.user == User.get(telegram_id=kit.bob.id)
    assert User.get(telegram_id=kit.dan.id).referrer is None
    (failure,) = Failure.select()
    assert (failure.user_id, failure.message, failure.payload) == (kit.bob.id, "", None)
    assert Conversation.get().user_id == kit.bob.id
    assert any("nulla dies" in text for text in cached(kit))


def test_the_erased_are_strangers(kit: ChatKit, zelda: Person) -> None:
    """Who writes again is a newcomer, with an open question gone."""
    erase(zelda)
    assert "did not understand" in zelda.send("my dreams")[0]
    user = User.get(telegram_id=ID)
    assert (user.total_messages, user.role, user.referrer) == (1, Role.USER, None)


def test_an_update_that_waits_is_dropped(kit: ChatKit, zelda: Person) -> None:
    """What was sent before the erasure and not begun leaves nothing behind."""
    zelda.send("/deleteme")
    number, data = next((n, b["callback_data"]) for n, b in zelda._buttons())
    kit.telegram.press(kit.bot_id, ID, ID, number, data)
    kit.telegram.send(kit.bot_id, ID, ID, text="/diary marmalade at the last moment")
    kit.telegram.send(kit.bot_id, ID, ID, text="/ask marmalade")
    while kit.core.seats[0].poller.step(0):
        pass  # all of it is accepted, and nothing has begun
    kit.step()
    assert zelda.last.startswith("Erased.")
    assert traces(kit) == []
    states = {row.state for row in Inbox.select().where(Inbox.lane == 0)}
    assert states <= {"done", "failed", "unknown"}


def test_a_receipt_survives_a_crash(
    kit: ChatKit, zelda: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the commit and before the reply, the next process sends it and holds nothing."""
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("bot.dispatch.send_replies", die)
        with pytest.raises(KeyboardInterrupt):
            erase(zelda)
    assert not User.select().where(User.telegram_id == ID).exists()
    kit.restart()
    assert zelda.last.startswith("Erased.")
    assert [place for place in traces(kit) if "diary:" not in place] == []


def test_a_hook_that_fails_keeps_its_own_alone(kit: ChatKit, zelda: Person) -> None:
    """What it had written is undone, the rest is erased, and the receipt names it."""
    hooks = kit.registry.plugins["diary"].hooks
    real = hooks["delete_user"]

    def torn(user: User) -> None:
        real(user)
        raise OSError("no scissors")

    hooks["delete_user"] = torn
    assert erase(zelda).splitlines()[-3] == "Not erased, please tell the owners: diary"
    assert {place.partition(":")[0] for place in traces(kit)} == {"diary_page"}


def test_a_row_that_points_at_the_person_is_in_the_way(kit: ChatKit, zelda: Person) -> None:
    """Nothing is erased then, and the failure says what must be mended."""
    del kit.registry.plugins["shop"].hooks["delete_user"]
    zelda.send("/deleteme")
    assert zelda.tap("Yes, erase it").startswith("Sorry, something went wrong.")
    assert User.select().where(User.telegram_id == ID).exists()
    newest = Failure.select().order_by(Failure.id.desc()).get()
    assert "its @plugin.delete_user must delete those rows" in newest.message
    assert zelda.send("/notes") == ["1. sphinx of black quartz"]


def test_other_processes_let_go(kit: ChatKit, zelda: Person) -> None:
    """Erased on the command line, the person is gone from the bot's memory within a second."""
    privacy.erase(ID, kit.registry.hooks("delete_user"))
    assert any(str(ID) in place for place in in_memory(kit))
    kit.chores()
    assert traces(kit) == []
    assert Erasure.select().count() == 1
    kit.pass_time(hours=2)
    chores = Chores(kit.core, [])
    chores.step(0.0)
    chores.step(700.0)
    assert Erasure.select().count() == 0


def test_who_came_back_meanwhile_is_somebody_new(kit: ChatKit, zelda: Person) -> None:
    """What they say after the erasure is not taken for what was erased."""
    privacy.erase(ID, kit.registry.hooks("delete_user"))
    zelda.send("/start")
    zelda.send("/ask tell me")
    kit.chores()
    assert zelda.send("of sheep") == ["You said tell me."]


def test_a_ban_survives(kit: ChatKit, zelda: Person) -> None:
    """Of somebody who is banned the id and the ban stay, and nothing else."""
    users.set_status(User.get(telegram_id=ID), Status.BANNED)
    hooks = kit.registry.hooks("delete_user")
    privacy.erase(ID, hooks)
    kit.restart()
    left = [place for place in rows(kit.database) if any(mark in place for mark in MARKS)]
    assert len(left) == 1 and left[0].startswith("users: ")
    user = User.get(telegram_id=ID)
    assert (user.status, user.name, user.username) == (Status.BANNED, str(ID), None)
    assert zelda.send("/start") == []


def test_nobody_reads_along(kit: ChatKit, zelda: Person) -> None:
    """In a group neither command does anything, nor a forged tap."""
    said = "That is between you and me: send me the command in our own chat."
    for text in ("/mydata@sandbox_bot", "/deleteme@sandbox_bot"):
        assert kit.bob.send(text, to=kit.group) == [said]


def test_keeping_erases_nothing(kit: ChatKit, zelda: Person) -> None:
    """The other button leaves everything as it is."""
    zelda.send("/deleteme")
    zelda.tap("No, keep it")
    assert zelda.last == "Nothing was erased."
    assert User.select().where(User.telegram_id == ID).exists()


def test_an_id_that_nobody_has(kit: ChatKit, zelda: Person) -> None:
    """There is nothing to give out or to erase, and nobody else loses anything."""
    before = sorted(rows(kit.database))
    held = privacy.export(999, kit.registry.hooks("export_user"))
    assert held["core"]["users"] == [] and held["plugins"]["notes"] == []
    assert privacy.erase(999, kit.registry.hooks("delete_user")).rows == 0
    after = [row for row in rows(kit.database) if not row.startswith("erasures: ")]
    assert sorted(after) == before


def test_a_failure_that_is_emptied_cannot_be_replayed(kit: ChatKit, zelda: Person) -> None:
    """It stays for the statistics of errors, without the update that mentioned the person."""
    erase(zelda)
    (failure,) = Failure.select()
    assert not failures.replay(failure.id)


def test_every_table_of_the_core_is_looked_at() -> None:
    """A table that is new says here whether it holds people; erase() then sees to it."""
    from staff import TABLES

    hold = {"users", "analytics_events", "bots", "inbox", "conversations", "failures"}
    hold |= {"plugin_switches", "bans", "plugin_suspensions"}
    hold |= {"plugin_switches", "user_preferences", "notices"}
    hold |= {"admins", "takeovers", "messages", "staff_notes"}
    hold_none = {"chats", "plugin_settings", "leases", "erasures", "daily_figures", "audit"}
    hold_none |= {"admin_recovery_codes", "admin_sessions", "admin_links", "admin_attempts"}
    hold_none |= {"api_tokens", "reload_refusals"}
    assert {model._meta.table_name for model in TABLES} == hold | hold_none
    assert Bot._meta.table_name in hold
