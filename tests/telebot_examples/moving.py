"""The example bots of pyTelegramBotAPI, and how little of each is changed to move in."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

from tests.conftest import EXAMPLES

CONSTRUCTION = re.compile(r"^bot = ((?:telebot\.)?TeleBot)\(.*\)", re.MULTILINE)
MAIN = re.compile(r"^if __name__ == '__main__':", re.MULTILINE)


def archive() -> Path | None:
    """The source of the library; None when it was not fetched."""
    return next(iter(sorted(EXAMPLES.glob("pytelegrambotapi-*.tar.gz"))), None)


def original(name: str) -> str:
    """An example as it is published."""
    source = archive()
    assert source, "run make test once"
    with tarfile.open(source) as opened:
        file = opened.extractfile(f"{source.name.removesuffix('.tar.gz')}/examples/{name}")
        assert file
        return file.read().decode()


def moved_in(text: str, *, main: bool = False) -> str:
    """The example as a plugin: the bot is asked for instead of made.

    `main`: what it does only when it is the program, it does as a plugin too.
    """
    moved = CONSTRUCTION.sub(r"bot: \1", text)
    return MAIN.sub("if True:", moved) if main else moved


def changed_lines(before: str, after: str) -> int:
    """How many lines differ; none comes or goes."""
    pairs = zip(before.split("\n"), after.split("\n"), strict=True)
    return sum(old != new for old, new in pairs)
