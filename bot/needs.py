"""What a plugin needs to be installed: packages, named with the command that installs them."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from bot.rules import DeclarationError


class Missing(DeclarationError):
    """A package that a plugin needs is not there, or of another version."""


def check(packages: Iterable[str]) -> None:
    """Raise Missing for the packages that are missing or of another version.

    They are written as pip takes them: "requests", "pillow>=10", "httpx[http2]>=0.27".
    """
    lacking = [(text, found) for text in packages if (found := _lacking(text))]
    if lacking:
        names = "; ".join(f"{text} is needed and {found}" for text, found in lacking)
        wanted = " ".join(shlex.quote(text) for text, _ in lacking)
        raise Missing(f"{names}: run pip install {wanted}")


def declared(path: Path) -> tuple[list[str], int]:
    """The packages of the `requires(…)` in a file that could not be run, and the first's line."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_bytes(), str(path)))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "requires"
    ]
    texts = [
        argument.value
        for call in calls
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    return texts, calls[0].lineno if calls else 0


def _lacking(text: str) -> str:
    """Why a package does not do, "" when it does. Raises DeclarationError."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(text)
    except (InvalidRequirement, TypeError) as error:
        raise DeclarationError(
            f"requires({text!r}) names no package ({str(error).splitlines()[0]}): write it as pip"
            " takes it, such as 'pillow>=10'."
        ) from None
    if wanted.marker and not wanted.marker.evaluate():
        return ""
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "is not installed"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"{version} is installed"
    return ""
