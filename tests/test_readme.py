"""The documentation: its plugins are played as chats, its tests run, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import parser
from bot.examples import scripts
from bot.loader import LOCALES, collect, load, sources
from bot.testing import ChatKit, Person
from database import Database, bind, open_database
from services.migrations import drift, migrate, rollback
from tests import contract

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PING = README.read_text()
PLUGINS = (ROOT / "docs" / "plugins.md").read_text()
TESTING = (ROOT / "docs" / "testing.md").read_text()

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x05\0\0\0\x05\x08\x02\0\0\0"
FILE = re.compile(r"^`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHAT = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def files(page: str) -> dict[str, str]:
    """The files that a page shows, each named above its block."""
    return dict(FILE.findall(page))


def chats() -> list[Any]:
    """The plugins of the page, each with the chat that follows it."""
    found, start = [], 0
    for chat in CHAT.finditer(PLUGINS):
        shown = files(PLUGINS[start : chat.start()])
        plugin = {name: text for name, text in shown.items() if name.startswith("plugins/")}
        found.append(pytest.param(plugin, chat[1], id=next(iter(plugin))))
        start = chat.end()
    return found


def write(folder: Path, shown: dict[str, str]) -> None:
    """Write files below a folder, by the names they are shown with."""
    for name, text in shown.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Stage:
    """Plays a chat line by line: what people do is done, what the bot does is compared."""

    def __init__(self, kit: ChatKit) -> None:
        self.kit = kit
        people = (kit.alice, kit.bob, kit.vera, kit.dan)
        self.people: dict[str, Person] = {each.user["first_name"]: each for each in people}
        self.on_stage = kit.bob
        self.said: list[str] = []
        self.toast = ""

    def play(self, chat: str) -> None:
        """Play every line; at the end nothing that the bot said may be left."""
        for line in chat.splitlines():
            who, _, rest = re.split(r"(: ?| )", line, maxsplit=1)
            if who in self.people:
                self.act(self.people[who], rest, talks=line.startswith(f"{who}:"))
            elif line.startswith("("):
                self.happen(line.strip("()"))
            else:
                assert self.seen(line.partition(": ")[0]) == line.partition(": ")[2], line
        assert self.said == []

    def act(self, person: Person, deed: str, *, talks: bool) -> None:
        """Let a person write, tap a button or send a photo."""
        assert self.said == [], f"before {deed!r}"
        self.on_stage, before = person, len(person.texts)
        if talks:
            person.send(deed)
        elif deed.startswith("taps "):
            self.toast = person.tap(deed.removeprefix("taps "))
        else:
            caption = deed.removeprefix("sends a photo:").strip()
            person.send_file("photo.png", PNG, photo=True, caption=caption)
        self.said = person.texts[before:]

    def seen(self, what: str) -> str:
        """What is seen of the bot: its next message, an edit, a toast, the buttons."""
        if what == "bot":
            assert self.said, "the bot said nothing"
            return self.said.pop(0)
        shown = {
            "bot edits": lambda: self.on_stage.last,
            "toast": lambda: self.toast,
            "buttons": lambda: ", ".join(self.on_stage.buttons),
        }
        return shown[what]()

    def happen(self, event: str) -> None:
        """Kill the bot, switch a plugin off, set a setting, or let time pass."""
        name = event.partition(" ")[0]
        if event == "the bot is killed and started again":
            self.kit.restart()
        elif found := re.fullmatch(r"\w+ is switched off( in (\w+)'s chat)?", event):
            self.kit.switches.set(name, False, self.people[found[2]].id if found[1] else 0)
        elif found := re.fullmatch(r"\w+ is set to (\d+)", event):
            (plugin,) = self.kit.registry.plugins
            self.kit.preferences.set(plugin, name, int(found[1]))
        elif found := re.fullmatch(r"(\d+) minutes pass", event):
            before = len(self.on_stage.texts)
            self.kit.pass_time(minutes=int(found[1]))
            self.kit.step()
            self.said = self.on_stage.texts[before:]
        else:
            pytest.fail(f"nobody knows how to play {event!r}")


def test_the_plugin_of_the_readme_answers(tmp_path: Path) -> None:
    """The ten lines, saved as they stand, answer pong."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", PING, re.DOTALL | re.MULTILINE)
    write(tmp_path, {"ping.py": block})
    with ChatKit([tmp_path]) as kit:
        assert kit.bob.send("/ping") == ["pong"]
        assert [command.help for command in kit.registry.plugins["ping"].commands] == [
            "Check that the bot is alive."
        ]


@pytest.mark.parametrize(("plugin", "chat"), chats())
def test_a_plugin_of_the_documentation(plugin: dict[str, str], chat: str, tmp_path: Path) -> None:
    """The chat below each plugin is what the bot does."""
    write(tmp_path, plugin)
    with ChatKit([tmp_path / "plugins"]) as kit:
        Stage(kit).play(chat)


def test_a_stage_sees_what_is_not_so(tmp_path: Path) -> None:
    """A chat that does not happen fails."""
    write(tmp_path, files(PLUGINS))
    wrong = ["Bob: /honk\nbot: Moo!", "Bob: /honk", "Bob: /honk\nbot: Honk!\nbot: Honk!"]
    for chat in wrong:
        with ChatKit([tmp_path / "plugins"]) as kit, pytest.raises(AssertionError):
            Stage(kit).play(chat)


def test_the_plugins_stand_side_by_side(tmp_path: Path) -> None:
    """All plugins of the documentation load together, without a mistake."""
    write(tmp_path, files(PLUGINS))
    registry = collect([tmp_path / "plugins"])
    assert registry.failures == [] and LOCALES.is_dir()
    assert len(registry.paths) == len(list((tmp_path / "plugins").iterdir()))


def test_the_examples_of_the_documentation(tmp_path: Path) -> None:
    """What the docstrings of its plugins show is what the bot answers."""
    write(tmp_path, files(PLUGINS))
    found = scripts([tmp_path / "plugins"])
    assert found and [script.play() for script in found] == [[] for _ in found]


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the club, with no migration files; they would be in its `migrations`."""
    shown = files(PLUGINS)
    write(tmp_path, {"plugins/club.py": shown["plugins/club.py"]})
    monkeypatch.setattr("bot.loader.MIGRATIONS", tmp_path / "migrations")
    return tmp_path


def migrated(database: Database, folder: Path) -> list[str]:
    """Migrate with the club's files as they are; the tables must be as the class has them."""
    registry = load([folder / "plugins"])
    _, found = sources(registry)
    done = migrate(database, [found])
    assert drift(database, found.models) == []
    return done


def test_the_migrations_of_the_documentation(club: Path) -> None:
    """Tables made without files get the age by them; so do new ones; and back."""
    shown = {name: text for name, text in files(PLUGINS).items() if "migrations" in name}
    source = (club / "plugins" / "club.py").read_text()
    grown = source.replace("CharField\n", "CharField, IntegerField\n").replace(
        "    name = CharField()\n", "    name = CharField()\n    age = IntegerField(default=0)\n"
    )
    assert grown.count("IntegerField(default=0)") == 1
    old = bind(open_database(f"sqlite:///{club / 'old.db'}"))
    assert migrated(old, club) == ["club/001_initial"]
    write(club, {**shown, "plugins/club.py": grown})
    assert migrated(old, club) == ["club/002_age"]
    old.close_all()
    new = bind(open_database(f"sqlite:///{club / 'new.db'}"))
    assert migrated(new, club) == ["club/001_initial", "club/002_age"]
    (_, found) = sources(load([club / "plugins"]))
    assert rollback(new, [found], "club") == "club/002_age"
    assert rollback(new, [found], "club") == "club/001_initial"
    new.close_all()


def test_the_tests_of_the_documentation(tmp_path: Path) -> None:
    """The tests on the page pass as they stand, run by the command that the page names."""
    shown = files(TESTING)
    assert len(shown) > 3
    assert len(shown) == TESTING.count("```python\n")
    write(tmp_path, shown)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = "\n".join(shown.values())
    assert f"{tests.count('def test_') + tests.count('test_examples =')} passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every make target and every verb that is named is there, and so is every option."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    verbs = _verbs()
    assert set(_made(page.read_text())) <= targets
    for words in re.findall(r"python -m bot ([^`#\n]+)", page.read_text()):
        verb, *options = words.split()
        assert verb in verbs, words
        assert {word for word in options if word.startswith("--")} <= verbs[verb], words


def _made(text: str) -> Iterator[str]:
    """The targets of make in code: in shell blocks and between backticks."""
    for code in [*SHELL.findall(text), *re.findall(r"`([^`\n]+)`", text)]:
        for line in code.splitlines():
            if found := re.match(r"(?:[A-Z_]+=\S+ )*make (\w+)", line):
                yield found[1]


def _verbs() -> dict[str, set[str]]:
    """The verbs of the command line with their options."""
    (action,) = [a for a in parser()._actions if isinstance(a, _SubParsersAction)]
    found: dict[str, ArgumentParser] = dict(action.choices)
    return {verb: {*own._option_string_actions} for verb, own in found.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    """What a page points to in this repository exists."""
    text = page.read_text()
    found = re.findall(r"\]\(([^)#\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    local = [link for link in found if not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_settings_named_in_the_readme_exist() -> None:
    """Every NAME=value of the README is a setting."""
    known = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = re.findall(r"\b([A-Z_]{4,})=", README.read_text())
    assert named and {name.removesuffix("_FILE") for name in named} <= known


def test_the_table_of_the_contract_is_fresh() -> None:
    """It is what the code says now, and everything in it is explained."""
    assert contract.page(PLUGINS) == PLUGINS, "run python -m tests.contract"
    rows = [line for line in contract.table().splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
    assert any(row.startswith("| `export_user(func)` |") for row in rows)


def test_a_stale_table_is_seen() -> None:
    """A row that is gone from the page is a difference; a page without the marks is refused."""
    row = next(line for line in PLUGINS.splitlines() if line.startswith("| `requires("))
    assert contract.page(PLUGINS.replace(row, "")) == PLUGINS
    with pytest.raises(ValueError, match="lacks"):
        contract.page("# Plugins")
