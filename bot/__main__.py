"""The command line: `python -m bot VERB`, one verb for each thing an operator does."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from choices import StaffRole
from settings import Settings, SettingsError, load

MOMENT = 0.5
"""Seconds that threads which are no daemons may hold up the end."""

Verb: TypeAlias = Callable[[Settings, argparse.Namespace], int]
Option: TypeAlias = Callable[[argparse.ArgumentParser], object]

VERBS: dict[Verb, tuple[Option, ...]] = {}
"""Every verb with its options, in the order of the help."""


def verb(*options: Option) -> Callable[[Verb], Verb]:
    """Make a function a verb of the command line, by its own name and with these options."""

    def add(function: Verb) -> Verb:
        VERBS[function] = options
        return function

    return add


def option(*names: str, **words: Any) -> Option:
    """An option of a verb, in the words of argparse."""
    return lambda parser: parser.add_argument(*names, **words)


KEEP = option("--keep", action="store_true", help="start it again whenever it dies")
REHEARSE = option("--rehearse", action="store_true", help=argparse.SUPPRESS)
PERSON = option("id", metavar="ID", type=int, help="the person's Telegram id")
EXAMPLES = "play the examples in the docstrings too"
FILE = option("file", metavar="FILE", type=Path, help="the backup")
PASSPHRASE = option(
    "--passphrase-file",
    metavar="FILE",
    type=Path,
    help="it is encrypted by what this file holds; without it by BACKUP_PASSPHRASE, if set",
)


@verb(
    KEEP,
    REHEARSE,
    option("--again", action="store_true", help=argparse.SUPPRESS),
    option("--examples", action="store_true", help=argparse.SUPPRESS),
)
def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run the bot: poll Telegram, or the sandbox when there is no token, and answer."""
    if options.keep:
        return keep(settings, "run", "bot")
    if options.rehearse:
        return rehearse(settings, options)
    from bot.run import main

    return main(settings, again=options.again)


def rehearse(settings: Settings, options: argparse.Namespace) -> int:
    """Start the bot but for its threads, its port and its calls, to see whether that works."""
    from bot.trial import guard

    guard()
    if options.examples and play_examples(settings):
        return 1
    from bot.run import rehearse

    return rehearse(settings)


@verb()
def reload(settings: Settings, _options: argparse.Namespace) -> int:
    """Let the running bot take its plugins anew, once they pass their check; say how that ended."""
    from bot.hail import reload

    return reload(settings)


@verb()
def up(settings: Settings, _options: argparse.Namespace) -> int:
    """Migrate and start everything, as `make run` does; Ctrl-C stops it."""
    from bot.start import up

    return up(settings)


@verb(KEEP, REHEARSE)
def panel(settings: Settings, options: argparse.Namespace) -> int:
    """Serve the panel, what a team sees of its bot, to browsers; with gunicorn."""
    if options.rehearse:
        from admin.opening import rehearse

        return rehearse(settings)
    from bot.serve import check, serve

    check(settings)
    return keep(settings, "panel", "panel") if options.keep else serve(settings)


def keep(settings: Settings, verb: str, name: str) -> int:
    """Run a verb in a process of its own, and start it again whenever it dies."""
    from bot.keep import Keeper, spawn
    from bot.logs import setup

    writer = setup(settings.log_level, settings.log_format)
    try:
        return Keeper(lambda: spawn(verb), name=name).run()
    finally:
        writer.stop()


@verb(
    option("--undo", metavar="NAME", help="undo the last migration of core or of a plugin"),
    option("--strict", action="store_true", help="change nothing while a plugin is broken"),
)
def migrate(settings: Settings, options: argparse.Namespace) -> int:
    """Bring the tables of the core and of the plugins up to date."""
    from bot.upgrade import migrate

    return migrate(settings, undo=options.undo, strict=options.strict)


@verb(
    option("--examples", action="store_true", help=EXAMPLES),
    option("--deploy", action="store_true", help="refuse what is not fit for production too"),
)
def check(settings: Settings, options: argparse.Namespace) -> int:
    """Load every plugin strictly, verify the audit log, say what is wrong; exit code 1 if so."""
    from bot import chain, deploying
    from bot.loader import check

    code = max(check(settings), chain.check(settings))
    code = deploying.check(settings) or code if options.deploy else code
    return play_examples(settings) or code if options.examples else code


@verb()
def doctor(settings: Settings, _options: argparse.Namespace) -> int:
    """Look at everything that can be reached, and say for each fault what to do."""
    from bot.doctor import examine

    return examine(settings)


def play_examples(settings: Settings) -> int:
    """Play the examples in the docstrings in memory; 1 when the bot answers something else."""
    from bot.examples import scripts

    played = scripts(settings.plugins_path)
    wrong = [sentence for script in played for sentence in script.play()]
    print("\n".join([*wrong, f"Commands whose examples were played: {len(played)}."]))
    return 1 if wrong else 0


@verb(option("--failure", metavar="ID", type=int, help="the id in the table failures"))
def record(settings: Settings, options: argparse.Namespace) -> int:
    """Print a test: of the newest chat in the sandbox, or of the update of a failure."""
    from bot.record import print_chat, print_failure

    return print_failure(settings, options.failure) if options.failure else print_chat(settings)


@verb()
def plugins(settings: Settings, _options: argparse.Namespace) -> int:
    """List the plugins with their commands and whether they load."""
    from bot.loader import print_plugins

    return print_plugins(settings)


@verb(option("--last", action="store_true", help="end on SIGTERM after the bot"))
def sandbox(settings: Settings, options: argparse.Namespace) -> int:
    """Serve a Bot API and a chat page on this machine, to try a bot without Telegram."""
    from bot.logs import setup
    from bot.start import bot_runs, check_port
    from sandbox.server import serve

    check_port("SANDBOX_PORT", settings.sandbox_port, host="127.0.0.1")
    writer = setup(settings.log_level, settings.log_format)
    try:
        serve(settings.sandbox_port, needed=lambda: options.last and bot_runs(settings))
    finally:
        writer.stop()
    return 0


@verb(PERSON)
def export_user(settings: Settings, options: argparse.Namespace) -> int:
    """Print all that is held on a person, across the plugins, as JSON."""
    from bot.person import export_user

    return export_user(settings, options.id)


@verb(PERSON, option("--yes", action="store_true", help="do not ask"))
def delete_user(settings: Settings, options: argparse.Namespace) -> int:
    """Erase a person across the plugins, after a question, and print what was erased."""
    from bot.person import delete_user

    return delete_user(settings, options.id, sure=options.yes)


@verb(FILE, PASSPHRASE)
def backup(settings: Settings, options: argparse.Namespace) -> int:
    """Write the whole database into one file, while everything runs."""
    from bot.backup import backup, give_way

    give_way()
    return backup(settings, options.file, passphrase=options.passphrase_file)


@verb(FILE, PASSPHRASE, option("--dry-run", action="store_true", help="say what would happen"))
def restore(settings: Settings, options: argparse.Namespace) -> int:
    """Put a backup into an empty database: all of it, or nothing."""
    from bot.backup import restore

    return restore(settings, options.file, passphrase=options.passphrase_file, dry=options.dry_run)


@verb(
    option("--name", help="make an account of this name"),
    option("--role", choices=list(StaffRole), default=StaffRole.VIEWER),
    option("--telegram-id", metavar="ID", help="whom /panel gives links to it"),
)
def create_admin(settings: Settings, options: argparse.Namespace) -> int:
    """Print a link that works once and for an hour: it makes the panel's first owner.

    With --name it makes that account, and its owner chooses a password by the link.
    """
    from bot.invite import create_admin

    return create_admin(settings, options.name, options.role, options.telegram_id)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser("python -m bot", description="A Telegram bot platform.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for function, options in VERBS.items():
        text = function.__doc__
        own = verbs.add_parser(function.__name__.replace("_", "-"), help=text, description=text)
        own.set_defaults(verb=function)
        for add in options:
            add(own)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; a mistake of the operator is one sentence and exit code 2."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.verb(load(), options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def leave(code: int) -> NoReturn:
    """End the interpreter; threads that a plugin left behind get a moment, and no more."""
    last = threading.Timer(MOMENT, os._exit, [code])
    last.daemon = True
    last.start()
    sys.exit(code)


if __name__ == "__main__":
    leave(main())
