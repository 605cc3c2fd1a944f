"""Cast named values of an environment, a `.env` file and secret files, or say how to mend them."""

from __future__ import annotations

import io
import math
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream

MASK = "********"
LONGEST_FILE = 65_536
_TOKEN = re.compile(r"[1-9]\d{5,}:[A-Za-z0-9_-]{30,}")
_LIKE_TOKEN = re.compile(r"\d{6,}:[A-Za-z0-9_-]{10,}")


class SettingsError(Exception):
    """One sentence: which setting is wrong and how to mend it; never a secret's value."""


class Secret:
    """A text that shows itself to `reveal()` alone: print, log, JSON and pickle get a mask."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself; call it as late as possible and keep no copy."""
        return self.__value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return secrets.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.__value)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (MASK,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def read_dotenv(path: Path) -> dict[str, str]:
    """The names and values of a `.env` file; none when there is no such file.

    Raises SettingsError for a line that is not NAME=value.
    """
    if not path.exists():
        return {}
    values = {}
    for binding in parse_stream(io.StringIO(_read_text(path, path.name))):
        if binding.error or (binding.key and binding.value is None):
            line = binding.original.line
            raise SettingsError(f"Line {line} of {path} cannot be read: write it as NAME=value.")
        if binding.key and binding.value is not None:
            values[binding.key] = binding.value
    return values


class Environ:
    """Named values out of several sources (the first that has the name wins), cast and checked.

    An empty value stands for the default. `NAME_FILE` names a file that holds the value of NAME.
    """

    def __init__(self, *sources: Mapping[str, str]) -> None:
        self._sources = sources

    def text(self, name: str) -> str:
        """The value without the space around it; empty when it is not set."""
        for source in self._sources:
            value, path = source.get(name), source.get(f"{name}_FILE")
            if value and path:
                raise SettingsError(f"{name} and {name}_FILE are both set: keep one of them.")
            if path:
                return _read_text(Path(path), f"{name}_FILE").strip()
            if value is not None:
                return value.strip()
        return ""

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of a closed set of words, in any case."""
        given = self.text(name)
        matches = [word for word in choices if word.lower() == (given or default).lower()]
        return matches[0] if matches else _refuse(name, given, f"one of {', '.join(choices)}")

    def levels(self, name: str, default: str, words: tuple[str, ...]) -> str:
        """A word for all, and others for modules: INFO,bot.wire=DEBUG."""
        first, *parts = list(self._parts(name)) or [default]
        level = rf"({'|'.join(words)})"
        shape = [(first, level), *((part, rf"\w+(\.\w+)*\s*=\s*{level}") for part in parts)]
        if not all(re.fullmatch(pattern, part, re.IGNORECASE) for part, pattern in shape):
            expected = f"one of {', '.join(words)}, and others for modules: INFO,bot.wire=DEBUG"
            _refuse(name, self.text(name), expected)
        pairs = [part.partition("=") for part in parts]
        of_modules = [f"{module.strip()}={level.strip().upper()}" for module, _, level in pairs]
        return ",".join([first.upper(), *of_modules])

    def whole(self, name: str, default: int, *, low: int = 0, high: int = 1_000_000) -> int:
        """A whole number from `low` to `high`."""
        given = self.text(name)
        if not given:
            return default
        if re.fullmatch(r"[0-9]{1,12}", given) and low <= int(given) <= high:
            return int(given)
        return _refuse(name, given, f"a whole number from {low} to {high}")

    def port(self, name: str, default: int) -> int:
        """A TCP port."""
        return self.whole(name, default, low=1, high=65_535)

    def rate(self, name: str, default: float) -> float:
        """A number that is not negative; 0 switches the limit off."""
        given = self.text(name)
        try:
            number = float(given or default)
        except ValueError:
            number = math.nan
        if 0 <= number < math.inf:
            return number
        return _refuse(name, given, "a number such as 1 or 0.5, or 0 to switch it off")

    def ids(self, name: str) -> frozenset[int]:
        """Telegram ids of people, separated by commas."""
        parts = list(self._parts(name))
        for part in parts:
            if not re.fullmatch(r"[1-9][0-9]{0,17}", part):
                _refuse(name, part, "numeric Telegram ids separated by commas, such as 12345,67890")
        return frozenset(map(int, parts))

    def host(self, name: str, default: str) -> str:
        """An address or a name to listen on."""
        given = self.text(name) or default
        if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", given):
            _refuse(name, given, "an address to listen on, such as 127.0.0.1 or 0.0.0.0")
        return given

    def hosts(self, name: str) -> tuple[str, ...]:
        """Names of hosts, separated by commas; .name stands for all that is under it too."""
        parts = list(self._parts(name))
        for part in parts:
            if not re.fullmatch(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d{1,5})?", part):
                _refuse(name, part, "names of hosts separated by commas, such as bot.example.org")
        return tuple(parts)

    def url(self, name: str, *schemes: str) -> str:
        """An address with one of the schemes, without a slash at its end; empty when not set."""
        given = self.text(name)
        if given and not _parsed(name, given, schemes).hostname:
            self._refuse_url(name, schemes)
        return given.rstrip("/")

    def secret_url(self, name: str, *schemes: str) -> Secret | None:
        """An address that may hold a password."""
        given = self.text(name)
        if not given:
            return None
        parts = _parsed(name, given, schemes)
        if not (parts.hostname or parts.path.strip("/")):
            self._refuse_url(name, schemes)
        return Secret(given)

    def tokens(self, name: str) -> tuple[Secret, ...]:
        """Bot tokens separated by commas, one for each bot."""
        parts = list(self._parts(name))
        if not all(map(_TOKEN.fullmatch, parts)):
            raise SettingsError(
                f"{name} is not a bot token: copy the whole of it from @BotFather"
                " (digits, a colon, 35 letters); several are separated by commas."
            )
        if len({part.partition(":")[0] for part in parts}) < len(parts):
            raise SettingsError(f"{name} names one bot twice: give each bot's token once.")
        return tuple(map(Secret, parts))

    def secret(self, name: str, pattern: str, expected: str) -> Secret | None:
        """A secret that must match a pattern; `expected` says in words what it must be."""
        given = self.text(name)
        if given and not re.fullmatch(pattern, given):
            raise SettingsError(f"{name} must be {expected}.")
        return Secret(given) if given else None

    def secrets(self, name: str, pattern: str, expected: str) -> tuple[Secret, ...]:
        """Several secrets separated by commas, each of which must match a pattern."""
        parts = list(self._parts(name))
        if not all(re.fullmatch(pattern, part) for part in parts):
            raise SettingsError(f"{name} must be {expected}.")
        return tuple(map(Secret, parts))

    def folders(self, name: str, default: str, *, inside: Path) -> tuple[Path, ...]:
        """Folders separated by colons; the ones that were named must exist."""
        given = self.text(name)
        paths = tuple(inside / part for part in (given or default).split(":") if part)
        for path in paths if given else ():
            if not path.is_dir():
                _refuse(name, str(path), "folders that exist, separated by colons")
        return paths

    def folder(self, name: str, *, inside: Path) -> Path | None:
        """One folder, which need not be there yet; None when it is not set."""
        given = self.text(name)
        if given and (inside / given).exists() and not (inside / given).is_dir():
            _refuse(name, given, "a folder, or a path where one is to be made")
        return inside / given if given else None

    def _parts(self, name: str) -> Iterator[str]:
        return (part.strip() for part in self.text(name).split(",") if part.strip())

    @staticmethod
    def _refuse_url(name: str, schemes: tuple[str, ...]) -> NoReturn:
        raise SettingsError(f"{name} is no usable address: write it as {schemes[0]}://host/…")


def _parsed(name: str, given: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of an address. Raises SettingsError without the address: it may hold a password."""
    try:
        parts = urlsplit(given)
        usable = "://" in given and parts.scheme in schemes and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", given):
        raise SettingsError(f"{name} must be an address that starts with {_starts(schemes)}.")
    return parts


def _starts(schemes: tuple[str, ...]) -> str:
    """What an address may begin with, for a person."""
    return " or ".join(f"{scheme}://" for scheme in schemes)


def _refuse(name: str, given: str, expected: str) -> NoReturn:
    shown = _LIKE_TOKEN.sub(MASK, given)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    raise SettingsError(f"{name} is {shown!r} but must be {expected}.")


def _read_text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE).decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        sentence = f"{name} cannot be read from {path} ({reason}): mend it or unset it."
        raise SettingsError(sentence) from None
