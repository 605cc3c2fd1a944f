"""Loading plugins: found, isolated, told apart, and checked from the command line."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from bot.loader import check, find, load, locales, print_plugins, sources
from bot.registry import Registry
from database import Database
from services.plugins import Switches
from settings import Secret, Settings

BUILT_INS = len(find([Path("plugins")]))
GOOD = '''
"""Tell whether anybody is there."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("ping")
def ping(ctx: Context) -> str:
    """Check that somebody is there."""
    return "pong"
'''


def write(folder: Path, **files: str) -> Path:
    """Plugins by name; `name__part` is the file `part` of a package."""
    for name, text in files.items():
        package, _, part = name.partition("__")
        path = folder / package / f"{part}.py" if part else folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return folder


def only_failure(folder: Path) -> str:
    """Why the one plugin of a folder is left out."""
    registry = load([folder])
    assert not registry.plugins and not registry.paths
    (failure,) = registry.failures
    assert failure.reason in failure.traceback or "Error" in failure.traceback
    return failure.reason


def test_files_and_packages_are_found(tmp_path: Path) -> None:
    """Names that begin with _ or . are none, nor are folders without __init__.py."""
    write(tmp_path, ping=GOOD, _draft=GOOD, todo____init__=GOOD, assets__picture="")
    write(tmp_path, **{".hidden": GOOD})
    (tmp_path / "read.me").touch()
    assert find([tmp_path, tmp_path / "missing"]) == [
        ("ping", tmp_path / "ping.py"),
        ("todo", tmp_path / "todo" / "__init__.py"),
    ]


def test_a_plugin_is_loaded_under_its_own_name(tmp_path: Path) -> None:
    """Name and description come from the file; the module lives in a package of ours."""
    registry = load([write(tmp_path, json=GOOD)])
    plugin = registry.plugins["json"]
    assert (plugin.name, plugin.description) == ("json", "Tell whether anybody is there.")
    assert registry.commands["ping"].func.__module__ == "steadygram_plugins.json"
    assert sys.modules["json"].__file__ != str(tmp_path / "json.py")
    assert registry.paths == {"json": tmp_path / "json.py"}


def test_a_package_has_parts(tmp_path: Path) -> None:
    """A package imports its own modules, and all of them anew with each load."""
    package = '''
        """A plugin in parts."""
        from bot import Plugin
        from .words import WORD

        plugin = Plugin(__name__)
        plugin.description = WORD
    '''
    for word in ("one", "two"):
        write(tmp_path, todo____init__=package, todo__words=f"WORD = {word!r}")
        assert load([tmp_path]).plugins["todo"].description == word


def test_a_file_saved_twice_in_a_second_is_read_anew(tmp_path: Path) -> None:
    """Same size, same second: no compiled file of the older text is taken."""
    for word in ("pong", "ding"):
        registry = load([write(tmp_path, ping=GOOD.replace("pong", word))])
        assert registry.commands["ping"].func(None) == word


BROKEN = {
    "a mistake of syntax": ("def (:\n", r":1: SyntaxError: invalid syntax"),
    "an error while it is imported": ("x = 1\n1 / 0\n", r":2: ZeroDivisionError: division by"),
    "an exit": ("raise SystemExit\n", r":1: SystemExit: no message"),
    "a missing module": ("import nowhere_to_be_found\n", r":1: ModuleNotFoundError: No module"),
    "a mistake in a declaration": (
        "from bot import Plugin\nplugin = Plugin(__name__)\nplugin.on('mesage')\n",
        r"bad[.]py:3: 'mesage' is no kind of update: did you mean 'message'[?]$",
    ),
    "nothing declared": ("x = 1\n", r"bad[.]py: A file declares one plugin: write plugin = "),
    "another name": ("from bot import Plugin\nplugin = Plugin('x')\n", r"declares one plugin"),
    "two plugins": (
        "from bot import Plugin\nplugin = Plugin(__name__)\nother = Plugin(__name__)\n",
        r"declares one plugin",
    ),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_says_what_and_where(tmp_path: Path, text: str, reason: str) -> None:
    """The file, the line and the remedy; nothing of it stays behind."""
    write(tmp_path, bad=text)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(only_failure(tmp_path))
    assert "steadygram_plugins.bad" not in sys.modules


def test_a_mistake_in_a_part_of_a_package_names_that_file(tmp_path: Path) -> None:
    """Whether it cannot be read or cannot be run."""
    package = "from bot import Plugin\nfrom . import part\nplugin = Plugin(__name__)\n"
    for text in ("def (:", "\n1 / 0"):
        write(tmp_path, bad____init__=package, bad__part=text)
        assert f"{tmp_path}/bad/part.py:1: " in only_failure(tmp_path)


def test_the_rest_runs_without_the_broken_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log for what is left out, with its reason."""
    write(tmp_path, a_bad="1 / 0", ping=GOOD, z_bad="1 / 0")
    with caplog.at_level(logging.ERROR):
        registry = load([tmp_path])
    assert list(registry.plugins) == ["ping"]
    assert [failure.name for failure in registry.failures] == ["a_bad", "z_bad"]
    assert len(caplog.records) == 2 and "ZeroDivisionError" in caplog.text


def test_a_name_in_two_folders(tmp_path: Path) -> None:
    """The first is kept; the error names both files."""
    folders = [write(tmp_path / name, ping=GOOD) for name in ("a", "b")]
    registry = load(folders)
    assert registry.paths == {"ping": folders[0] / "ping.py"}
    (failure,) = registry.failures
    assert failure.path == folders[1] / "ping.py" and str(folders[0]) in failure.reason


def test_a_file_with_a_bad_name(tmp_path: Path) -> None:
    """Tables and buttons bear the name, so it is checked."""
    assert "name the file with 1 to 32 of a-z" in only_failure(write(tmp_path, **{"My-Ping": GOOD}))


def test_a_command_of_two_plugins(tmp_path: Path) -> None:
    """The later plugin is left out whole."""
    registry = load([write(tmp_path, ping=GOOD, pong=GOOD)])
    assert list(registry.plugins) == ["ping"]
    assert "by ping.ping() and pong.ping()" in registry.failures[0].reason


ASKING = '''
from bot import Plugin

plugin = Plugin(__name__)
{step}
def save(ctx): ...


@plugin.command("ask")
def ask(ctx):
    """Ask."""
    ctx.ask("What?", timeout=60, then={then})
'''


@pytest.mark.parametrize("then", ["save", "'save'", "'bad.save'", "getattr(plugin, 'x')", "later"])
@pytest.mark.parametrize("step", ["@plugin.step", ""])
def test_a_question_must_name_a_step(tmp_path: Path, step: str, then: str) -> None:
    """A function of the file, by itself or quoted; what is computed is looked at when asked."""
    registry = load([write(tmp_path, bad=ASKING.format(step=step, then=then))])
    if step or "save" not in then:
        assert not registry.failures
    else:
        said = registry.failures[0].reason
        assert "bad.py:11: ask(then=" in said and "put @plugin.step above def save(ctx)" in said


def test_steps_and_commands_are_indexed(tmp_path: Path) -> None:
    """Steps by full name, commands by every name."""
    registry = load([write(tmp_path, bad=ASKING.format(step="@plugin.step", then="save"))])
    assert list(registry.steps) == ["bad.save"]
    assert registry.commands["ask"].plugin == "bad"


def test_a_module_of_telebots_own_style(tmp_path: Path) -> None:
    """A module with register(bot) and no Plugin is kept for binding."""
    registry = load([write(tmp_path, old="def register(bot): bot.seen = True")])
    assert list(registry.modules) == ["old"] and not registry.plugins and not registry.failures


def test_a_script_of_telebots_own_style(tmp_path: Path) -> None:
    """A file that asks for its bot is run for each one, with that one as `bot`, and not before."""
    folder = write(tmp_path, old="seen: list\nbot: object\nbot.seen = [__name__]", no="bot = 1 / 0")
    registry = load([folder])
    assert list(registry.modules) == ["old"]
    assert [failure.name for failure in registry.failures] == ["no"]
    for bot in (SimpleNamespace(), SimpleNamespace()):
        registry.modules["old"].register(bot)
        assert bot.seen == ["steadygram_plugins.old"]


TABLE = """
from peewee import TextField
from bot import Plugin

plugin = Plugin(__name__)

class Note(plugin.Model):
    text = TextField()
"""


def test_tables_have_a_source_of_migrations(tmp_path: Path) -> None:
    """A file's are beside the core's, a package's in the package; no tables, no source."""
    registry = load([write(tmp_path, ping=GOOD, one=TABLE, two____init__=TABLE)])
    core, one, two = sources(registry)
    assert core.name == "core" and core.folder is not None
    assert (one.name, one.folder) == ("one", core.folder / "one")
    assert (two.name, two.folder) == ("two", tmp_path / "two" / "migrations")
    assert [model._meta.table_name for model in two.models] == ["two_note"]


def test_packages_bring_their_catalogues(tmp_path: Path) -> None:
    """Beside the project's own."""
    registry = load([write(tmp_path, ping=GOOD, two____init__=TABLE)])
    assert locales(registry)[0].name == "locales"
    assert locales(registry)[1:] == [tmp_path / "two" / "locales"]


# The command line


def run_check(*folders: Path) -> tuple[int, list[str]]:
    out = io.StringIO()
    code = check(Settings(plugins_path=folders), out=out)
    return code, out.getvalue().splitlines()


def test_check_is_content_with_the_built_ins() -> None:
    """No word but the last."""
    assert run_check(Path("plugins")) == (0, [f"Plugins that are fine: {BUILT_INS}."])


def test_check_tells_every_problem(tmp_path: Path) -> None:
    """Broken plugins and missing folders end in 1; what is merely missing is a warning."""
    write(tmp_path, bad="1 / 0", ping=GOOD, two____init__=TABLE)
    code, lines = run_check(tmp_path, tmp_path / "missing")
    assert code == 1
    ping, two = tmp_path / "ping.py", tmp_path / "two" / "__init__.py"
    assert lines[:2] == [
        f"{tmp_path}/bad.py:1: ZeroDivisionError: division by zero",
        f"{tmp_path}/missing is no folder: make it, or mend PLUGINS_PATH.",
    ]
    assert lines[2].startswith(f"warning: {ping}:1: 2 texts have no translation, such as 'Tell ")
    assert lines[2].endswith("there.': put them into locales/ru/ping.po.")
    assert lines[3].startswith(f"warning: {two}: no docstring: begin the file with one")
    assert lines[4:] == ["Plugins that are fine: 2."]


def test_warnings_alone_are_no_failure(tmp_path: Path) -> None:
    """A plugin in one language runs."""
    assert run_check(write(tmp_path, ping=GOOD))[0] == 0


def test_check_needs_neither_telebot_nor_a_database() -> None:
    """So that it is quick enough to run at every save."""
    code = (
        "import sys, settings, bot.loader; from pathlib import Path;"
        "bot.loader.check(settings.Settings(plugins_path=(Path('plugins'),)));"
        "sys.exit('telebot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, f"Plugins that are fine: {BUILT_INS}.\n".encode())


def listed(settings: Settings) -> dict[str, list[str]]:
    out = io.StringIO()
    assert print_plugins(settings, out=out) == 0
    return {line.split()[0]: line.split(maxsplit=3)[1:] for line in out.getvalue().splitlines()}


def test_the_list_of_plugins(tmp_path: Path, database: Database, database_url: str) -> None:
    """Name, state, commands and description; broken ones with their reason."""
    folder = write(tmp_path / "p", bad="1 / 0", ping=GOOD, off=GOOD.replace("ping", "off"))
    write(folder, old="def register(bot): ...")
    Switches().set("off", enabled=False)
    database.close()
    rows = listed(Settings(plugins_path=(folder,), database_url=Secret(database_url)))
    assert rows["ping"] == ["on", "/ping", "Tell whether anybody is there."]
    assert rows["off"][0] == "off"
    assert rows["old"] == ["on", "A", "module in telebot's style."]
    assert rows["bad"][0] == "broken"


def test_the_list_without_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database that is not there yet is not made; one that cannot be asked is said."""
    folder = write(tmp_path / "p", ping=GOOD)
    url = f"sqlite:///{tmp_path / 'data' / 'x.db'}"
    settings = Settings(plugins_path=(folder,), database_url=Secret(url))
    assert listed(settings)["ping"][0] == "on"
    assert not (tmp_path / "data").exists() and not capsys.readouterr().err
    write(tmp_path, data__x="")
    (tmp_path / "data" / "x.db").write_text("no database")
    assert listed(settings)["ping"][0] == "on"
    assert "cannot say which plugins are off" in capsys.readouterr().err


def test_an_empty_registry_is_of_use() -> None:
    """Without plugins there are no commands and everything is on."""
    registry = Registry()
    assert registry.usable(None, 5) == [] and registry.on("any", 5)
    assert [source.name for source in sources(registry)] == ["core"]
