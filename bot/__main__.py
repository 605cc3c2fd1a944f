"""The command line: `python -m bot VERB`, one verb for each thing an operator does."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from choices import StaffRole
from settings import Settings, SettingsError, load

MOMENT = 0.5
"""Seconds that threads which are no daemons may hold up the end."""


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


def reload(settings: Settings, _options: argparse.Namespace) -> int:
    """Let the running bot take its plugins anew, once they pass their check; say how that ended."""
    from bot.hail import reload

    return reload(settings)


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


def migrate(settings: Settings, options: argparse.Namespace) -> int:
    """Bring the tables of the core and of the plugins up to date."""
    from bot.upgrade import migrate

    return migrate(settings, undo=options.undo, strict=options.strict)


def check(settings: Settings, options: argparse.Namespace) -> int:
    """Load every plugin strictly, verify the audit log, say what is wrong; exit code 1 if so."""
    from bot import chain
    from bot.loader import check

    code = max(check(settings), chain.check(settings))
    return play_examples(settings) or code if options.examples else code


def play_examples(settings: Settings) -> int:
    """Play the examples in the docstrings in memory; 1 when the bot answers something else."""
    from bot.examples import scripts

    played = scripts(settings.plugins_path)
    wrong = [sentence for script in played for sentence in script.play()]
    print("\n".join([*wrong, f"Commands whose examples were played: {len(played)}."]))
    return 1 if wrong else 0


def record(settings: Settings, options: argparse.Namespace) -> int:
    """Print a test: of the newest chat in the sandbox, or of the update of a failure."""
    from bot.record import print_chat, print_failure

    return print_failure(settings, options.failure) if options.failure else print_chat(settings)


def plugins(settings: Settings, _options: argparse.Namespace) -> int:
    """List the plugins with their commands and whether they load."""
    from bot.loader import print_plugins

    return print_plugins(settings)


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


def export_user(settings: Settings, options: argparse.Namespace) -> int:
    """Print all that is held on a person, across the plugins, as JSON."""
    from bot.person import export_user

    return export_user(settings, options.id)


def delete_user(settings: Settings, options: argparse.Namespace) -> int:
    """Erase a person across the plugins, after a question, and print what was erased."""
    from bot.person import delete_user

    return delete_user(settings, options.id, sure=options.yes)


def backup(settings: Settings, options: argparse.Namespace) -> int:
    """Write the whole database into one file, while everything runs."""
    from bot.backup import backup

    return backup(settings, options.file, passphrase=options.passphrase_file)


def restore(settings: Settings, options: argparse.Namespace) -> int:
    """Put a backup into an empty database: all of it, or nothing."""
    from bot.backup import restore

    return restore(settings, options.file, passphrase=options.passphrase_file, dry=options.dry_run)


def create_admin(settings: Settings, options: argparse.Namespace) -> int:
    """Print a link that works once and for an hour: it makes the panel's first owner.

    With --name it makes that account, and its owner chooses a password by the link.
    """
    from bot.invite import create_admin

    return create_admin(settings, options.name, options.role, options.telegram_id)


def up(settings: Settings, _options: argparse.Namespace) -> int:
    """Migrate and start everything, as `make run` does; Ctrl-C stops it."""
    from bot.start import up

    return up(settings)


VERBS: tuple[Callable[[Settings, argparse.Namespace], int], ...] = (
    run,
    panel,
    reload,
    up,
    migrate,
    check,
    plugins,
    record,
    sandbox,
    export_user,
    delete_user,
    backup,
    restore,
    create_admin,
)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser("python -m bot", description="A Telegram bot platform.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        text = verb.__doc__
        own = verbs.add_parser(verb.__name__.replace("_", "-"), help=text, description=text)
        own.set_defaults(verb=verb)
        _add_options(verb, own)
    return parser


def _add_options(verb: Callable[..., int], own: argparse.ArgumentParser) -> None:
    if verb in (run, panel):
        own.add_argument("--keep", action="store_true", help="start it again whenever it dies")
        own.add_argument("--rehearse", action="store_true", help=argparse.SUPPRESS)
    if verb is run:
        own.add_argument("--again", action="store_true", help=argparse.SUPPRESS)
        own.add_argument("--examples", action="store_true", help=argparse.SUPPRESS)
    if verb in (export_user, delete_user):
        own.add_argument("id", metavar="ID", type=int, help="the person's Telegram id")
    if verb is delete_user:
        own.add_argument("--yes", action="store_true", help="do not ask")
    _add_archive(verb, own)
    if verb is create_admin:
        own.add_argument("--name", help="make an account of this name")
        own.add_argument("--role", choices=list(StaffRole), default=StaffRole.VIEWER)
        own.add_argument("--telegram-id", metavar="ID", help="whom /panel gives links to it")
    if verb is sandbox:
        own.add_argument("--last", action="store_true", help="end on SIGTERM after the bot")
    if verb is check:
        own.add_argument(
            "--examples", action="store_true", help="play the examples in the docstrings too"
        )
    if verb is record:
        own.add_argument("--failure", metavar="ID", type=int, help="the id in the table failures")
    if verb is migrate:
        own.add_argument(
            "--undo", metavar="NAME", help="undo the last migration of core or of a plugin"
        )
        own.add_argument(
            "--strict", action="store_true", help="change nothing while a plugin is broken"
        )


def _add_archive(verb: Callable[..., int], own: argparse.ArgumentParser) -> None:
    if verb in (backup, restore):
        own.add_argument("file", metavar="FILE", type=Path, help="the backup")
        own.add_argument(
            "--passphrase-file",
            metavar="FILE",
            type=Path,
            help="encrypt it by what this file holds",
        )
    if verb is restore:
        own.add_argument("--dry-run", action="store_true", help="say what would happen")


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
