"""The texts that users read: found in the source, so that every catalogue can be compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Text(NamedTuple):
    """A text of the source, with its plural where it has one."""

    line: int
    singular: str
    plural: str | None = None


def find(path: Path) -> list[Text]:
    """The texts of a file: _("…"), ngettext("…", "…", n) and say(…, "…"), and the plugin's words.

    Those are its description, the help of its commands, settings and categories.
    """
    tree = ast.parse(path.read_bytes(), str(path))
    found = [text for node in ast.walk(tree) for text in _texts(node)]
    if any(_called(node) == "Plugin" for node in ast.walk(tree)) and (doc := _first_line(tree)):
        found.append(Text(1, doc))
    return sorted(found)


def _texts(node: ast.AST) -> Iterator[Text]:
    if isinstance(node, ast.FunctionDef):
        if any(_called(decorator) == "command" for decorator in node.decorator_list):
            yield Text(node.lineno, _first_line(node))
        return
    if not isinstance(node, ast.Call):
        return
    name, arguments = _called(node), node.args
    if name == "ngettext" and len(arguments) > 1:
        for singular, plural in zip(_constants(arguments[0]), _constants(arguments[1])):
            yield Text(node.lineno, singular, plural)
    place = {"_": 0, "say": 1, "setting": 2, "category": 1}.get(name)
    if place is not None and len(arguments) > place:
        for text in _constants(arguments[place]):
            yield Text(node.lineno, text)


def _called(node: ast.AST) -> str:
    """The last name of what is called: `command` of `plugin.command(…)`."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def _constants(node: ast.AST) -> list[str]:
    """A text, or the texts of a choice between two."""
    if isinstance(node, ast.IfExp):
        return _constants(node.body) + _constants(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _first_line(node: ast.Module | ast.FunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0].strip()
