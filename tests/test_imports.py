"""The rooms: imports point one way, plugins see three names of ours, and files stay short."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    "admin",
    "bot",
    "deploy",
    "migrations",
    "models",
    "plugins",
    "sandbox",
    "services",
    "settings",
)
TABLES = {"choices", "database", "indexes", "staff", "trigrams", "turnstile"}
OURS = {*ROOMS, *TABLES, "environ", "tests", "bench"}
LONGEST_FILE = 300
LONGEST_FUNCTION = 40

# A module may import what stands before it here. `name.*` is every module of that folder; those
# may import each other. Nothing imports a plugin.
ORDER = """
    environ settings
    turnstile outages database choices trigrams models indexes staff migrations.*
    services.*
    bot.codec bot.lines bot.logs bot.tracing bot.reports bot.counts bot.durations bot.families
    bot.pile bot.metrics bot.gauges
    bot.i18n
    bot.pace bot.limits bot.retries bot.form bot.wire bot.answer bot.link bot.courier bot.sending
    bot.meter bot.proxy bot.client bot.outbox
    bot.conversations bot.rules bot.needs bot.hooks bot.plugin bot.asks bot.advice bot.registry
    bot.blame bot.breaker bot.control
    bot.words bot.letters bot.texts bot.markup bot.pieces bot.message bot.runtime bot.reading
    bot.heard bot.context bot
    bot.modules bot.loader bot.tables bot.menu bot.throttle bot.oblivion bot.heed
    bot.raw bot.inbox bot.lease bot.stroke bot.marks bot.ledger bot.middleware
    bot.plain bot.dispatch bot.imagined bot.judges bot.explain bot.quarantine bot.turns bot.relay
    bot.moving bot.lanes bot.crew bot.polling bot.notices bot.postman
    bot.trial bot.core bot.chores bot.tally bot.safekeeping bot.process bot.reload
    bot.renewal bot.opened
    bot.invite bot.hail bot.serve bot.start bot.upgrade bot.person bot.backup bot.chain
    bot.keep bot.run bot.deploying bot.probes bot.machine bot.stores bot.reach bot.doctor
    admin admin.bounds admin.panel admin.facts admin.headers admin.problems admin.line
    admin.questions admin.erasure admin.auth.* admin.views.* admin.api.* admin.probes admin.traffic
    admin.app admin.opening
    admin.server_log admin.folder admin.metering admin.gatherer admin.gunicorn admin.wsgi
    deploy.*
    sandbox.*
    bot.memory bot.actors bot.kit bot.examples bot.record bot.testing bot.__main__
    plugins.*
""".split()
PLUGINS_MAY = {"bot", "models", "settings"}


def files() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for path in (
        *ROOT.glob("*.py"),
        *(file for room in ROOMS for file in ROOT.glob(f"{room}/**/*.py")),
    ):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


FILES = files()


def place(module: str) -> int | None:
    """Where a module stands in the order; None when nobody gave it a place."""
    parts = module.split(".")
    folders = [".".join(parts[:size]) for size in range(len(parts), 0, -1)]
    for name in (module, *(f"{folder}.*" for folder in folders)):
        if name in ORDER:
            return ORDER.index(name)
    return None


def imports(tree: ast.AST, *, types: bool) -> Iterator[str]:
    """The modules that a tree imports, wherever it does; `types`: also those for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else str(node.module) for name in inside)
        yield from imports(node, types=types)


def violations(module: str, source: str) -> list[str]:
    """What a module imports and may not."""
    tree, room = ast.parse(source), module.partition(".")[0]
    wanted = {name for name in imports(tree, types=False) if name.partition(".")[0] in OURS}
    if room in ("plugins", "sandbox"):
        seen = {name for name in imports(tree, types=True) if name.partition(".")[0] in OURS}
        own = ".".join(module.split(".")[:2]) if room == "plugins" else room
        allowed = PLUGINS_MAY if room == "plugins" else set()
        return sorted(name for name in seen - allowed if not f"{name}.".startswith(f"{own}."))
    return sorted(name for name in wanted if not _stands_before(name, module))


def _stands_before(name: str, module: str) -> bool:
    there, here = place(name), place(module)
    if there is None or here is None:
        return False
    return there < here or (there == here and ORDER[here].endswith(".*"))


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The functions of a tree and their length in lines, the docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = node.body[0] if ast.get_docstring(node, clean=False) else None
            spared = text.end_lineno - text.lineno + 1 if text and text.end_lineno else 0
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - spared


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_module_imports_only_what_stands_before_it(module: str) -> None:
    """Imports point one way; a module without a place in the order gets one first."""
    assert place(module) is not None, f"give {module} a place in ORDER"
    assert violations(module, FILES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("settings", "import models"),
        ("environ", "from settings import load"),
        ("models", "from services import users"),
        ("services.users", "from bot.client import Client"),
        ("services.users", "def find():\n    from bot import client"),
        ("bot.logs", "import bot.metrics"),
        ("bot.plugin", "import bot.context"),
        ("bot.client", "from bot import Plugin"),
        ("bot.dispatch", "if True:\n    import plugins.notes"),
        ("bot.run", "from sandbox.telegram import Telegram"),
        ("bot.core", "import bot.__main__"),
        ("bot.core", "import tests.conftest"),
        ("bot.core", "import bot.no_such_module"),
        ("plugins.notes", "from bot.plugin import Plugin"),
        ("plugins.notes", "import services.users"),
        ("plugins.notes", "from database import db"),
        ("plugins.notes", "from plugins import start"),
        ("plugins.notes", "if TYPE_CHECKING:\n    from bot.context import Context"),
        ("sandbox.server", "from settings import load"),
        ("sandbox.server", "if TYPE_CHECKING:\n    from bot import Context"),
    ],
)
def test_the_check_sees_a_wrong_import(module: str, source: str) -> None:
    """A module that imports upwards, or through a private door, is found."""
    assert violations(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("plugins.notes", "from bot import Context, Plugin\nimport models, settings, peewee"),
        ("plugins.shop.pages", "from plugins.shop.goods import Good"),
        (
            "services.users",
            "import peewee\nfrom models import User\nfrom services import analytics",
        ),
        ("bot.plugin", "if TYPE_CHECKING:\n    from bot.context import Context"),
        ("sandbox.server", "import flask\nfrom sandbox.telegram import Telegram"),
    ],
)
def test_the_check_lets_a_right_import_pass(module: str, source: str) -> None:
    """What the order allows is no violation."""
    assert violations(module, source) == []


def test_what_plugins_import_is_quick() -> None:
    """The Telegram library, a third of a second, is not imported before an update is handled."""
    modules = [name for name in FILES if place(name) is not None and _is_quick(name)]
    program = f"import sys\nfor name in {sorted(modules)!r}:\n    __import__(name)\n"
    program += "sys.exit('telebot' in sys.modules)"
    assert "bot" in modules
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def _is_quick(name: str) -> bool:
    room = name.partition(".")[0]
    return room in ("environ", "settings", "outages", "database", "models", "services") or name in (
        "bot",
        "bot.plugin",
        "bot.loader",
        "bot.lines",
        "bot.logs",
        "bot.reload",
        "bot.start",
        "bot.upgrade",
        "bot.__main__",
    )


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_module_stays_small(module: str) -> None:
    """A file of more than 300 lines, blank ones left out, or a function of more than 40 is split.

    A migration is a list, however long.
    """
    source = FILES[module].read_text()
    assert sum(map(bool, map(str.strip, source.splitlines()))) <= LONGEST_FILE
    if module.startswith("migrations."):
        return
    assert [name for name, size in functions(ast.parse(source)) if size > LONGEST_FUNCTION] == []


def test_half_of_the_functions_are_very_short() -> None:
    """The median function has less than ten lines."""
    trees = [ast.parse(path.read_text()) for path in FILES.values()]
    assert statistics.median(size for tree in trees for _, size in functions(tree)) < 10


def test_the_check_measures_functions() -> None:
    """A docstring is not counted, the rest is."""
    source = (
        'def one():\n    """Say.\n\n    More.\n    """\n    return 1\n\n\nasync def two(): ...\n'
    )
    assert dict(functions(ast.parse(source))) == {"one": 2, "two": 1}


def test_every_module_says_its_job() -> None:
    """The first line of each module is a sentence on what it is for."""
    silent = [
        name
        for name, path in FILES.items()
        if not (ast.get_docstring(ast.parse(path.read_text())) or "")
        .partition("\n")[0]
        .endswith(".")
    ]
    assert silent == []
