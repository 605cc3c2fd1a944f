"""Needs: packages and plugins that are missing are named, with what to do; the rest runs."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from bot import needs
from bot.loader import check, collect, load, locales, sources
from bot.rules import DeclarationError
from bot.testing import ChatKit
from settings import Settings

HEAD = '"""A plugin."""\nfrom bot import Context, Plugin\n\nplugin = Plugin(__name__)\n'


def write(folder: Path, **plugins: str) -> Path:
    """Plugins by name, each with the lines after its head."""
    folder.mkdir(exist_ok=True)
    for name, text in plugins.items():
        (folder / f"{name}.py").write_text(HEAD + dedent(text))
    return folder


def reasons(folder: Path) -> dict[str, str]:
    """Why the plugins of a folder are left out."""
    return {failure.name: failure.reason for failure in load([folder]).failures}


def install(site: Path, name: str, module: str, text: str, *, version: str = "1.0") -> None:
    """A package with an entry point, as pip leaves it."""
    path = site / Path(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    info = site / f"steadygram_{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: steadygram-{name}\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(f"[steadygram.plugins]\n{name} = {module}\n")


def test_what_is_installed_is_fine() -> None:
    """Names, versions, extras and markers as pip takes them."""
    needs.check(["peewee", "PeeWee>=3", "packaging[any]>1,<1000"])
    needs.check(["nowhere>=1; python_version < '3'"])


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (["nowhere"], "nowhere is needed and is not installed: run pip install nowhere"),
        (["nowhere>=1.2"], "is not installed: run pip install 'nowhere>=1.2'"),
        (["peewee>=999"], "peewee>=999 is needed and "),
        (["nowhere", "peewee>=999"], "run pip install nowhere 'peewee>=999'"),
        (["no where"], "requires('no where') names no package"),
    ],
)
def test_what_is_missing_is_named(packages: list[str], said: str) -> None:
    """One sentence with the command that installs it."""
    with pytest.raises(DeclarationError) as caught:
        needs.check(packages)
    assert said in str(caught.value)


def test_a_plugin_without_its_package_is_left_out(tmp_path: Path) -> None:
    """The line of the declaration, the package, the command; the others run."""
    write(tmp_path, charts='plugin.requires("nowhere>=1.2")\nimport nowhere\n', fine="")
    assert reasons(tmp_path) == {
        "charts": f"{tmp_path}/charts.py:5: nowhere>=1.2 is needed and is not installed: run"
        " pip install 'nowhere>=1.2'"
    }
    registry = load([tmp_path])
    assert list(registry.plugins) == ["fine"] and registry.failures[0].missing


def test_an_import_above_the_declaration(tmp_path: Path) -> None:
    """The same sentence, for the file is read; without a declaration the import's own."""
    late = 'import nowhere\n\nplugin.requires("nowhere>=1.2", "peewee")\n'
    write(
        tmp_path, late=late, bare="import nowhere\n", other='import nix\nplugin.requires("peewee")'
    )
    found = reasons(tmp_path)
    assert found["late"].endswith(
        "late.py:7: nowhere>=1.2 is needed and is not installed: run pip install 'nowhere>=1.2'"
    )
    assert found["bare"].endswith("bare.py:5: ModuleNotFoundError: No module named 'nowhere'")
    assert "No module named 'nix'" in found["other"]


def test_a_plugin_that_needs_another(tmp_path: Path) -> None:
    """What is there is fine, whichever is loaded first; one that is not there is named."""
    write(
        tmp_path,
        aaa='plugin.requires(plugins=["zzz"])',
        zzz='plugin.requires(plugins=["aaa"])',
        lonely='plugin.requires(plugins=["nobody"])\n@plugin.command("x")\ndef x(ctx): "Do."',
        follower='plugin.requires(plugins=["lonely", "aaa"])',
        lame='plugin.requires(plugins=["broken"])',
        broken="1 / 0",
    )
    registry = load([tmp_path])
    assert sorted(registry.plugins) == ["aaa", "zzz"]
    assert "x" not in registry.commands and "lonely" not in registry.paths
    found = {failure.name: failure.reason for failure in registry.failures}
    assert found["lonely"].endswith("it needs the plugin nobody, which is not there: add it.")
    assert found["follower"].endswith("the plugin lonely, which is broken: mend that one first.")
    assert found["lame"].endswith("the plugin broken, which is broken: mend that one first.")
    missing = {failure.name for failure in registry.failures if failure.missing}
    assert missing == {"lonely", "follower", "lame"}


def test_a_plugin_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by its entry point, and runs beside those of the folders."""
    ping = (
        HEAD + '\n@plugin.command("weather")\ndef weather(ctx):\n    "Tell."\n    return "Sun."\n'
    )
    install(tmp_path / "site", "weather", "sky.weather", ping)
    monkeypatch.syspath_prepend(tmp_path / "site")
    folder = write(tmp_path / "plugins", needy='plugin.requires(plugins=["weather"])')
    with ChatKit([folder]) as kit:
        assert kit.bob.send("/weather") == ["Sun."]
        assert kit.registry.paths["weather"] == tmp_path / "site" / "sky" / "weather.py"
        assert tmp_path / "site" / "sky" / "locales" in locales(kit.registry)
        assert "needy" in kit.registry.plugins
        assert len(sources(kit.registry)) == 1
    sys.modules.pop("sky.weather")


def test_a_package_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clash with a file, a module that fails, one that is not there: each is told."""
    install(tmp_path, "twin", "twin_package", HEAD)
    install(tmp_path, "bad", "bad_package", "1 / 0")
    install(tmp_path, "odd", "odd_package", HEAD)
    install(tmp_path, "needy", "needy_package", "import nowhere\nrequires('x')")
    install(tmp_path, "gone", "gone_package", HEAD)
    (tmp_path / "gone_package.py").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    registry = collect([write(tmp_path / "plugins", twin="", fine="")])
    found = {failure.name: failure.reason for failure in registry.failures}
    assert sorted(registry.plugins) == ["fine", "twin"]
    assert "steadygram-twin brings a plugin 'twin', which is the one in" in found["twin"]
    assert "bad_package.py:1: ZeroDivisionError" in found["bad"]
    assert "has the entry point 'odd': give both one name." in found["odd"]
    assert "No module named 'gone_package'" in found["gone"]
    assert "No module named 'nowhere'" in found["needy"]
    for name in ("twin", "bad", "odd", "needy"):
        sys.modules.pop(f"{name}_package", None)


def test_check_says_what_does_not_run_yet(tmp_path: Path) -> None:
    """Jobs are recorded; a table of people without hooks is pointed out; neither is an error."""
    write(
        tmp_path,
        clock="@plugin.job(every=60)\ndef tick(ctx): ...\n@plugin.task\ndef once(ctx, x): ...\n",
        club="""
            from peewee import BigIntegerField, ForeignKeyField
            from models import User
            class Member(plugin.Model):
                telegram_id = BigIntegerField()
            class Guest(plugin.Model):
                friend = ForeignKeyField(User)
            class Place(plugin.Model):
                chat_id = BigIntegerField()
            @plugin.export_user
            def export(user): ...
            """,
    )
    out = io.StringIO()
    assert check(Settings(plugins_path=(tmp_path,)), out=out) == 0
    said = out.getvalue()
    assert "clock.py: jobs and tasks are recorded and do not run yet: tick(), once()." in said
    assert "Member, Guest holds data of people and there is no @plugin.delete_user" in said
