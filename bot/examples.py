"""The examples in the commands' docstrings, played as chats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.kit import ChatKit
from bot.loader import collect
from bot.plugin import Command
from models import Role


@dataclass(frozen=True, slots=True)
class Script:
    """The examples of one command, to be played one after the other."""

    path: Path
    plugin: str
    command: Command

    @property
    def name(self) -> str:
        """The plugin and the command."""
        return f"{self.plugin}-{self.command.name}"

    def play(self) -> list[str]:
        """Play them in a chat of its own, by Alice where a user may not; what is not so."""
        with ChatKit([self.path]) as kit:
            person = kit.bob if self.command.role is Role.USER else kit.alice
            wrong = []
            for said, answer in self.command.examples:
                texts = person.send(said)
                if not fits(answer, "\n".join(texts)):
                    wrong.append(f"{self.plugin}: {said} → {answer}: the bot says {texts}")
            return wrong + [f"{self.plugin}: {failure}" for failure in kit.take_failures()]


def scripts(plugins: Iterable[Path]) -> list[Script]:
    """The commands that have examples, of all plugins in the folders."""
    registry = collect(list(plugins))
    return [
        Script(registry.paths[name], name, command)
        for name, plugin in registry.plugins.items()
        for command in plugin.commands
        if command.examples
    ]


def fits(answer: str, said: str) -> bool:
    """Whether the bot said what an example shows; line breaks count as spaces."""
    pieces = [re.escape(" ".join(piece.split())) for piece in answer.split("…")]
    return re.fullmatch(r"\s*.*\s*".join(pieces), " ".join(said.split()), re.DOTALL) is not None
