"""The loader: finds the plugin files, imports each by itself, and keeps what is broken apart."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TextIO

import peewee

from bot import advice, asks, needs, texts
from bot.i18n import Catalogues
from bot.modules import PACKAGE, forget, run, script
from bot.plugin import Plugin
from bot.registry import Failure, Registry
from bot.rules import DeclarationError, plugin_name
from database import bind, open_database
from services.migrations import FOLDER as MIGRATIONS
from services.migrations import Source, core
from services.plugins import Switches
from settings import LANGUAGES, Settings

log = logging.getLogger(__name__)

GROUP = "steadygram.plugins"
"""The entry points of packages that bring plugins: name = module."""
LOCALES = Path(__file__).parent.parent / "locales"


def find(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """The plugins in the folders, by name: files, and packages by their __init__.py.

    A path may also be a single plugin. What begins with _ or . is none, nor are tests.
    """
    entries = [entry for path in paths for entry in _entries(path)]
    found = [(entry.stem, path) for entry in entries if (path := _source(entry))]
    return sorted(found, key=lambda pair: pair[0])


def load(paths: Sequence[Path]) -> Registry:
    """Import every plugin in the folders; one that fails is recorded, and the rest is loaded."""
    registry = collect(paths)
    for failure in registry.failures:
        log.error("the plugin %s is left out: %s", failure.name, failure.reason)
    return registry


def collect(paths: Sequence[Path]) -> Registry:
    """As `load`, without a word in the log."""
    registry = Registry()
    forget(PACKAGE)
    for name, path in find(paths):
        try:
            _take(registry, name, path)
        except (Exception, SystemExit) as error:  # noqa: BLE001  kept in the registry, and told
            registry.failures.append(_failure(name, path, error))
    for point in installed():
        try:
            _take_installed(registry, point)
        except (Exception, SystemExit) as error:  # noqa: BLE001  kept in the registry, and told
            registry.failures.append(_failure(point.name, _place_of(point), error))
    while dropped := _unmet(registry):
        registry.failures += dropped
    return registry


def installed() -> list[EntryPoint]:
    """The plugins of installed packages, by name: their entry points in the group GROUP."""
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


def sources(registry: Registry) -> list[Source]:
    """Where the migrations are: the core's, and those of each plugin with tables."""
    plugins = [plugin for plugin in registry.plugins.values() if plugin.models]
    return [
        core(),
        *(
            Source(plugin.name, _migrations(registry, plugin.name), [*plugin.models])
            for plugin in plugins
        ),
    ]


def locales(registry: Registry) -> list[Path]:
    """The folders of the catalogues: the project's, and those of the packages."""
    packages = [
        path.parent
        for name, path in registry.paths.items()
        if path.name == "__init__.py" or name in registry.installed
    ]
    return [LOCALES, *(package / "locales" for package in packages)]


def _entries(path: Path) -> list[Path]:
    if path.is_dir() and not (path / "__init__.py").is_file():
        return sorted(path.iterdir())
    return [path] if path.exists() else []


def _source(entry: Path) -> Path | None:
    if entry.name.startswith(("_", ".", "test_")) or entry.name == "conftest.py":
        return None
    if entry.is_dir():
        init = entry / "__init__.py"
        return init if init.is_file() else None
    return entry if entry.suffix == ".py" else None


def _take(registry: Registry, name: str, path: Path) -> None:
    """Import one plugin and add it. Raises whatever its file raises."""
    if other := registry.paths.get(plugin_name(name)):
        raise DeclarationError(f"{name!r} is the plugin in {other} already: rename one of them.")
    try:
        module = script(f"{PACKAGE}.{name}", path) or run(f"{PACKAGE}.{name}", path)
        if plugin := _plugin(module, name):
            asks.check(plugin, path)
            registry.add(plugin)
        else:
            registry.modules[name] = module
    except BaseException:
        forget(f"{PACKAGE}.{name}")
        raise
    registry.paths[name] = path


def _take_installed(registry: Registry, point: EntryPoint) -> None:
    """Import the module that an entry point names, and add its plugin."""
    if other := registry.paths.get(plugin_name(point.name)):
        raise DeclarationError(
            f"The package {_package(point)} brings a plugin {point.name!r}, which is the one in"
            f" {other} already: rename that file, or uninstall the package."
        )
    module = import_module(point.module)
    path = Path(module.__file__ or point.name)
    if plugin := _plugin(module, point.name):
        asks.check(plugin, path)
        registry.add(plugin)
    else:
        registry.modules[point.name] = module
    registry.paths[point.name] = path
    registry.installed.add(point.name)


def _place_of(point: EntryPoint) -> Path:
    """The file of an entry point's module, if it is found without running it; else its package."""
    try:
        spec = find_spec(point.module)
    except (ImportError, ValueError, AttributeError):
        spec = None
    return Path(spec.origin if spec and spec.origin else _package(point))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _unmet(registry: Registry) -> list[Failure]:
    """Take out the plugins that need others which are not there, and say so."""
    there, failures = {*registry.plugins, *registry.modules}, []
    for name, plugin in list(registry.plugins.items()):
        if missing := [need for need in plugin.required_plugins if need not in there]:
            path, broken = registry.paths[name], {one.name for one in registry.failures}
            why = "; ".join(
                f"it needs the plugin {need}, which is"
                f" {'broken: mend that one first' if need in broken else 'not there: add it'}"
                for need in missing
            )
            registry.drop(name)
            failures.append(Failure(name, path, f"{path}: {why}.", "", missing=True))
    return failures


def _plugin(module: ModuleType, name: str) -> Plugin | None:
    """The plugin that a module declares; None for one in telebot's style, with register(bot)."""
    plugins = [value for value in vars(module).values() if isinstance(value, Plugin)]
    if not plugins and callable(getattr(module, "register", None)):
        return None
    if len(plugins) == 1 and plugins[0].name != name and not module.__name__.startswith(PACKAGE):
        raise DeclarationError(
            f"The plugin {plugins[0].name!r} has the entry point {name!r}: give both one name."
        )
    if len(plugins) != 1 or plugins[0].name != name:
        raise DeclarationError("A file declares one plugin: write plugin = Plugin(__name__).")
    return plugins[0]


def _failure(name: str, path: Path, error: BaseException) -> Failure:
    """What is wrong, with the last line of the plugin's own files that led to it."""
    trace = "".join(traceback.format_exception(error))
    steps = traceback.extract_tb(error.__traceback__)
    places = [(Path(step.filename), step.lineno) for step in steps]
    own = [place for place in places if place[0].is_relative_to(path.parent)]
    if isinstance(error, SyntaxError) and error.filename:
        own.append((Path(error.filename), error.lineno))
    if line := getattr(error, "line", None):
        own.append((path, line))
    file, line = own[-1] if own else (path, None)
    said = str(error) or "no message"
    if isinstance(error, ImportError) and (lacking := _lacking(path)):
        return Failure(name, path, f"{path}:{lacking[1]}: {lacking[0]}", trace, missing=True)
    reason = said if isinstance(error, DeclarationError) else f"{type(error).__name__}: {said}"
    where = f"{file}:{line}" if line else str(file)
    missing = isinstance(error, needs.Missing)
    return Failure(name, path, f"{where}: {reason}", trace, missing)


def _lacking(path: Path) -> tuple[str, int] | None:
    """What a file that failed at an import requires and has not, and where it says so."""
    try:
        packages, line = needs.declared(path)
        needs.check(packages)
    except DeclarationError as error:
        return str(error), line
    except (OSError, SyntaxError):
        return None
    return None


def _migrations(registry: Registry, name: str) -> Path:
    """In the plugin's own folder, for a file of ours in a folder of its name."""
    path = registry.paths[name]
    if path.name == "__init__.py" or name in registry.installed:
        return path.parent / "migrations"
    return MIGRATIONS / path.stem


def problems(settings: Settings, registry: Registry) -> list[str]:
    """What keeps plugins from being loaded, a sentence each with its file and remedy."""
    missing = [folder for folder in settings.plugins_path if not folder.is_dir()]
    return [
        *(failure.reason for failure in registry.failures),
        *(f"{folder} is no folder: make it, or mend PLUGINS_PATH." for folder in missing),
    ]


def check(settings: Settings, *, out: TextIO | None = None) -> int:
    """Load strictly and print every problem with its file and remedy; 1 when a plugin is broken."""
    registry = collect(settings.plugins_path)
    errors = problems(settings, registry)
    catalogues = Catalogues(locales(registry))
    warnings = [each for name in registry.paths for each in _warnings(registry, catalogues, name)]
    fine = f"Plugins that are fine: {len(registry.paths)}."
    lines = [*errors, *(f"warning: {each}" for each in warnings), fine]
    print("\n".join(lines), file=out)
    return 1 if errors else 0


def print_plugins(settings: Settings, *, out: TextIO | None = None) -> int:
    """Print each plugin with its state, its commands and its description."""
    registry = collect(settings.plugins_path)
    switches = _switches(settings)
    rows = []
    for name, plugin in registry.plugins.items():
        commands = " ".join(f"/{command.name}" for command in plugin.commands)
        rows.append((name, "on" if switches.on(name) else "off", commands, plugin.description))
    rows += [(name, "on", "", "A module in telebot's style.") for name in registry.modules]
    rows += [(each.name, "broken", "", each.reason) for each in registry.failures]
    for name, state, commands, about in sorted(rows):
        print(f"{name:<16} {state:<7} {commands:<24} {about}".rstrip(), file=out)
    return 0


def _warnings(registry: Registry, catalogues: Catalogues, name: str) -> Iterator[str]:
    """What a plugin lacks, and runs without."""
    path = registry.paths[name]
    plugin = registry.plugins.get(name)
    if plugin:
        yield from (f"{path}: {each}" for each in advice.on(plugin))
    words = [word for file in _files(path) for word in texts.find(file)]
    for language in LANGUAGES:
        known = partial(catalogues.knows, language)
        missing = [word for word in words if language != "en" and not known(word.singular)]
        if missing:
            yield (
                f"{path}:{missing[0].line}: {len(missing)} texts have no translation, such as"
                f" {missing[0].singular!r}: put them into locales/{language}/{name}.po."
            )


def _files(path: Path) -> list[Path]:
    """The source of a plugin."""
    if path.name != "__init__.py":
        return [path]
    return [file for file in path.parent.rglob("*.py") if file.parent.name != "migrations"]


def _switches(settings: Settings) -> Switches:
    """The switches as the database has them; all on when it cannot be asked."""
    switches = Switches()
    if settings.lacks_database:
        return switches
    database = bind(open_database(settings.database_url.reveal()))
    try:
        with database.connection_context():
            switches.refresh()
    except peewee.PeeweeException as error:
        print(f"The database cannot say which plugins are off: {error}", file=sys.stderr)
    finally:
        database.close_all()
    return switches
