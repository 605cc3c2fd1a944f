"""The modules of plugins: each file is run by itself, as it is now, in a package of ours."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = "steadygram_plugins"
"""The package that the plugins' modules live in; it has no file."""


class Fresh(SourceFileLoader):
    """Compiles anew each time: a compiled file of the same second may be of an older text."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        """Compile the file as it is now."""
        return _compiled(self.get_data(self.path), self.path)


@lru_cache(maxsize=256)  # tests load the same plugins again and again
def _compiled(source: bytes, path: str) -> CodeType:
    return compile(source, path, "exec", dont_inherit=True)


def script(name: str, path: Path) -> ModuleType | None:
    """A module whose register(bot) runs the file, when `bot: TeleBot` at its top asks for a bot."""
    asks_for_bot, docstring = _top(path.read_bytes(), str(path))
    if not asks_for_bot:
        return None
    module = ModuleType(name, docstring)
    vars(module)["register"] = lambda bot: run(name, path, bot=bot)
    return module


@lru_cache(maxsize=256)
def _top(source: bytes, path: str) -> tuple[bool, str | None]:
    """Whether `bot: TeleBot` stands at the top of a file, and the file's docstring."""
    tree = ast.parse(source, path)
    wishes = [each for each in tree.body if isinstance(each, ast.AnnAssign) and not each.value]
    return "bot" in [ast.unparse(wish.target) for wish in wishes], ast.get_docstring(tree)


def run(name: str, path: Path, **given: object) -> ModuleType:
    """Run a plugin's file as a module of a package of ours, so that no other module is shadowed."""
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE, "The plugins that were loaded.")
        package.__path__ = []
        sys.modules[PACKAGE] = package
    loader = Fresh(name, str(path))
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    if path.name == "__init__.py":
        folder = str(path.parent)
        spec.submodule_search_locations = [folder]
        kinds = (ExtensionFileLoader, EXTENSION_SUFFIXES), (Fresh, SOURCE_SUFFIXES)
        sys.path_importer_cache[folder] = FileFinder(folder, *kinds)
    module = module_from_spec(spec)
    vars(module).update(given)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def forget(name: str) -> None:
    """Drop a module and those below it: what failed must not be found half made."""
    for known in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[known]
