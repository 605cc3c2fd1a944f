"""The questions in a plugin's file: each must name a step that the plugin has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from bot.plugin import Plugin
from bot.rules import DeclarationError


def check(plugin: Plugin, path: Path) -> None:
    """Raise DeclarationError for an ask(…, then=…) whose step is not declared.

    What is computed, or imported from elsewhere, is looked at when the question is put.
    """
    for line, name in _asked(path.read_bytes(), path.name):
        _check(plugin, line, name)


@lru_cache(maxsize=256)  # tests load the same plugins again and again
def _asked(source: bytes, name: str) -> list[tuple[int, str]]:
    """The line and the step of each question whose step is to be in this file."""
    tree = ast.parse(source, name)
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return [(line, step) for line, step, quoted in _asks(tree) if quoted or step in functions]


def _check(plugin: Plugin, line: int, name: str) -> None:
    step = name.removeprefix(f"{plugin.name}.")
    if step not in plugin.steps:
        raise DeclarationError(
            f"ask(then={name}) names no step: put @plugin.step above def {step}(ctx).", line=line
        )


def _asks(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """The line and the step of each `….ask(…, then=…)`, and whether the step is quoted."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "ask":
            continue
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg != "then":
                continue
            if isinstance(value, ast.Name):
                yield node.lineno, value.id, False
            elif isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield node.lineno, value.value, True
