"""Examples in docstrings: shown as help and played as tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.__main__ import main
from bot.examples import fits, scripts
from bot.kit import ChatKit
from bot.loader import collect
from bot.testing import examples

SUMS = '''"""Do sums."""

from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("sum", "add", role="admin")
def total(ctx: Context) -> str:
    """Add numbers.

    /sum 1 2 → 3
    /add → Give me numbers, …
    """
    return str(sum(map(int, ctx.args))) if ctx.args else "Give me numbers, such as 1 2"
'''

test_examples_of_the_project = examples()


def test_an_example_is_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that are so say nothing; one that is not is named, and fails the check."""
    (tmp_path / "sums.py").write_text(SUMS)
    assert [script.play() for script in scripts([tmp_path])] == [[]]
    (tmp_path / "sums.py").write_text(SUMS.replace("→ 3", "→ 4"))
    (script,) = scripts([tmp_path])
    assert script.name == "sums-sum"
    assert script.play() == ["sums: /sum 1 2 → 4: the bot says ['3']"]


def test_the_check_plays_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When asked to; else it only loads."""
    (tmp_path / "sums.py").write_text(SUMS.replace("→ 3", "→ 4"))
    monkeypatch.setenv("PLUGINS_PATH", str(tmp_path))
    assert main(["check"]) == 0
    assert main(["check", "--examples"]) == 1
    assert "the bot says ['3']" in capsys.readouterr().out


def test_help_shows_them(tmp_path: Path) -> None:
    """With the command's names, to those who may use it."""
    (tmp_path / "sums.py").write_text(SUMS)
    with ChatKit([Path("plugins"), tmp_path / "sums.py"]) as kit:
        assert kit.alice.send("/help add") == [
            "/sum /add - Add numbers.\n/sum 1 2 → 3\n/add → Give me numbers, …"
        ]
        assert kit.bob.send("/help sum") == ["I do not know /sum. See what I can do: /help"]
        assert "Записано" in kit.vera.send("/help note")[0]


def test_an_example_of_another_command_is_refused(tmp_path: Path) -> None:
    """It would be shown where nobody looks for it."""
    (tmp_path / "sums.py").write_text(SUMS.replace("/sum 1 2 →", "/som 1 2 →"))
    (failure,) = collect([tmp_path]).failures
    assert "begin it with /sum" in failure.reason


@pytest.mark.parametrize(
    ("answer", "said", "so"),
    [
        ("3", "3", True),
        ("3", "33", False),
        ("You rolled …", "You rolled 4.", True),
        ("You rolled …", "You rolled", True),
        ("… of …", "the king\nof all", True),
        ("one two", "one\ntwo", True),
        ("a.c", "abc", False),
    ],
)
def test_an_answer_fits(answer: str, said: str, so: bool) -> None:
    """The whole answer, with "…" for anything and line breaks as spaces."""
    assert fits(answer, said) is so
