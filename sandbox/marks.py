"""A text read from left to right: what has been kept of it, and Telegram's words for mistakes."""

from __future__ import annotations

from typing import NoReturn

from sandbox.answers import bad

SPACES = " \t\r\n\0\v"


class Reader:
    """A place in a text, with the characters kept so far; past the end stands an empty string."""

    __slots__ = ("at", "kept", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kept: list[str] = []

    @property
    def done(self) -> bool:
        """True when nothing is left."""
        return self.at >= len(self.text)

    @property
    def length(self) -> int:
        """How many characters were kept."""
        return len(self.kept)

    def peek(self, ahead: int = 0) -> str:
        """The character at a distance from here, empty past the end."""
        place = self.at + ahead
        return self.text[place] if place < len(self.text) else ""

    def starts(self, what: str) -> bool:
        """True when the text goes on with this."""
        return self.text.startswith(what, self.at)

    def keep(self) -> None:
        """Keep the character here and step over it."""
        self.kept.append(self.text[self.at])
        self.at += 1

    def keep_until(self, characters: str) -> None:
        """Keep everything up to the next of these characters."""
        self.kept.extend(self.skip_until(characters))

    def skip_while(self, characters: str) -> None:
        """Step over these characters."""
        while not self.done and self.text[self.at] in characters:
            self.at += 1

    def skip_until(self, characters: str) -> str:
        """Step to the next of these characters, or to the end; what was stepped over."""
        start = self.at
        while not self.done and self.text[self.at] not in characters:
            self.at += 1
        return self.text[start : self.at]

    def read_language(self) -> str:
        """The name of a programming language and the line break after three backticks."""
        language = ""
        start = self.at
        name = self.skip_until(SPACES + "`")
        if name and not self.done and self.peek() != "`":
            language = name
        else:
            self.at = start
        if self.peek() in ("\n", "\r"):
            pair = self.peek(1) in ("\n", "\r") and self.peek() != self.peek(1)
            self.at += 2 if pair else 1
        return language

    def byte(self, place: int) -> int:
        """The offset in bytes of a place in the text."""
        return len(self.text[:place].encode())


def fail(text: str) -> NoReturn:
    """Refuse a text whose marks cannot be read."""
    raise bad(f"can't parse entities: {text}")
