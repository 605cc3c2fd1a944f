"""What `make run` does: look whether the ports are free, migrate, and start every process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bot.invite import setup_address
from bot.serve import check
from settings import Settings, SettingsError

STOPPED_BY_HAND = (128 + signal.SIGINT, 128 + signal.SIGTERM)

PATIENCE = 20
"""Seconds that the processes get to end in: honcho's own five are less than a bot may need."""
HONCHO = f"from honcho import command, manager; manager.KILL_WAIT = {PATIENCE}; command.main()"

PASSED_ON = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGHUP: signal.SIGTERM,
}

NOT_PASSED_ON = {"LOG_FORMAT_FILE", "PROMETHEUS_MULTIPROC_DIR"}
"""What is settled here, and what would make the bot count in the files of others."""

Call = Callable[[Sequence[str], Mapping[str, str]], int]


def up(settings: Settings, *, call: Call | None = None) -> int:
    """Run bot and panel, and the sandbox when there is no token, until Ctrl-C; give the exit code.

    Raises SettingsError when a port is taken.
    """
    call = call or run_child
    check(settings)
    check_ports(settings)
    environ = child_environ(settings)
    if code := call([sys.executable, "-m", "bot", "migrate"], environ):
        return code
    print(welcome(settings, setup_address(settings)), flush=True)
    # honcho would read .env in a way of its own; every process reads it by itself.
    honcho = [sys.executable, "-c", HONCHO, "start", "-e", os.devnull]
    code = call([*honcho, *processes(settings)], environ)
    return 0 if code in STOPPED_BY_HAND else code


def processes(settings: Settings) -> list[str]:
    """The lines of the Procfile that are to be started."""
    return ["bot", "web", "sandbox"] if settings.sandbox else ["bot", "web"]


def welcome(settings: Settings, setup: str | None) -> str:
    """Where to click; `setup` is where the panel gets its first owner."""
    lines = ["", "Steadygram starts. Ctrl-C stops it.", ""]
    if settings.sandbox:
        lines.append(f"  chat with the bot  http://localhost:{settings.sandbox_port}/")
    else:
        lines.append("  chat with the bot  in Telegram")
    lines.append(f"  panel              {settings.admin_url}/")
    if setup:
        lines.append(f"  set it up (once)   {setup}")
    lines.append(f"  metrics            http://localhost:{settings.metrics_port}/metrics")
    lines.append(f"  of the panel       http://localhost:{settings.admin_metrics_port}/metrics")
    return "\n".join([*lines, ""])


def check_ports(settings: Settings) -> None:
    """Raise SettingsError for the first port that cannot be listened on."""
    check_port("METRICS_PORT", settings.metrics_port, host="")
    check_port("ADMIN_PORT", settings.admin_port, host=settings.admin_host)
    check_port("ADMIN_METRICS_PORT", settings.admin_metrics_port, host="")
    if settings.sandbox:
        check_port("SANDBOX_PORT", settings.sandbox_port, host="127.0.0.1")


def check_port(name: str, port: int, *, host: str) -> None:
    """Raise SettingsError when a port cannot be listened on; `name` is the setting to change."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} cannot be used ({error.strerror}):"
                f" stop the program that has it, or set {name} to a free port."
            ) from None


def bot_runs(settings: Settings) -> bool:
    """Whether the bot's process still lives: it holds its port to the end."""
    try:
        check_port("METRICS_PORT", settings.metrics_port, host="")
    except SettingsError:
        return True
    return False


def child_environ(settings: Settings) -> dict[str, str]:
    """The environment of the processes: the same Python, and the terminal's log format."""
    environ = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    folders = [str(Path(sys.executable).parent), environ.get("PATH", os.defpath)]
    return {**environ, "PATH": os.pathsep.join(folders), "LOG_FORMAT": settings.log_format}


def run_child(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program to its end and give its exit code; it ends as we are told to end.

    It has a session of its own, so that Ctrl-C reaches it once, from us, and so that a terminal
    that is closed leaves nothing behind.
    """
    with subprocess.Popen(command, env=environ, start_new_session=True) as child:
        before = {
            number: signal.signal(number, lambda *_, passed=passed: child.send_signal(passed))
            for number, passed in PASSED_ON.items()
        }
        try:
            return child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
