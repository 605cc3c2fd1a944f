"""What the image does, done without one: run by `unshare` as root, it tells what happened as JSON.

Our entry points run as user 10001 on a read-only root, without capabilities or new rights, with a
small /tmp, a writable data/ alone, and no network but the loopback.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bot.serve import GUNICORN
from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Telegram
from settings import SANDBOX_TOKEN
from tests.chaos.town import BOT_ID

NEW = Path("/mnt")
HOME = Path("/srv")
USER = 10001
PATIENCE = 60.0
ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",
    "ENVIRONMENT": "production",
    "TELEGRAM_BOT_TOKEN_FILE": "/srv/data/token",
    "SECRET_KEY_FILE": "/srv/data/key",
    "TRUSTED_HOSTS": "localhost,127.0.0.1",
    "ADMIN_HOST": "0.0.0.0",
    "ADMIN_WORKERS": "1",
}


def mount(*arguments: object) -> None:
    """Mount something, or change how it is mounted."""
    subprocess.run(["mount", *map(str, arguments)], check=True)


def prepare(app: Path) -> None:
    """Make the root that the confined processes see, from this machine's and the copied project."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    data = app / "data"
    data.mkdir(mode=0o700)
    (data / "token").write_text(SANDBOX_TOKEN)
    (data / "key").write_text("k" * 40)
    for path in (data, *data.iterdir()):
        shutil.chown(path, USER, USER)
    mount("--rbind", "/", NEW)
    mount("--bind", app, NEW / "srv")
    mount("-o", "remount,ro,bind", NEW / "srv")
    mount("--bind", data, NEW / "srv" / "data")
    pythons = {Path(sys.base_prefix), Path(sys.prefix).resolve()}
    for python in pythons:
        show(python)
    mount("-o", "remount,ro,bind", NEW)
    mount("-t", "tmpfs", "-o", "size=16m,mode=1777", "tmpfs", NEW / "tmp")
    for python in pythons:
        if python.is_relative_to("/tmp"):  # noqa: S108  the new one hides what is in it
            bind(python)
    mount("-t", "proc", "proc", NEW / "proc")


def show(path: Path) -> None:
    """Make a folder reachable for everybody when one above it is not: Python, in a home."""
    closed = [each for each in reversed(path.parents) if not each.stat().st_mode & 0o001]
    if closed:
        over = NEW / closed[0].relative_to("/")
        if not over.is_mount():
            mount("-t", "tmpfs", "-o", "mode=0755,size=1m", "tmpfs", over)
        bind(path)


def bind(path: Path) -> None:
    """Put a folder of this machine, to be read, into the place that it has in the new root."""
    there = NEW / path.relative_to("/")
    there.mkdir(parents=True)
    mount("--bind", path, there)
    mount("-o", "remount,ro,bind", there)


def confine(command: Sequence[str]) -> list[str]:
    """A command as the container would run it."""
    return [
        *("chroot", str(NEW), "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"),
        *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        *("env", "-C", str(HOME), "-i", *(f"{name}={value}" for name, value in ENVIRON.items())),
        *command,
    ]


def python(*arguments: str) -> list[str]:
    """A confined Python."""
    return confine([str(Path(sys.prefix).resolve() / "bin" / "python"), *arguments])


ATTEMPTS = """
import json, os, socket
def write(path, size=1):
    with open(path, "wb") as file:
        file.write(bytes(size))
    return "written"
tries = {
    "rights": lambda: open("/proc/self/status").read(),
    "project": lambda: write("/srv/bot/new.py"),
    "root": lambda: write("/usr/new"),
    "data": lambda: write("data/new"),
    "tmp": lambda: write("/tmp/new"),
    "full": lambda: write("/tmp/big", 32 * 2**20),
    "swept": lambda: os.remove("/tmp/big"),
    "outside": lambda: socket.create_connection(("192.0.2.1", 80), 2),
}
said = {}
for name, attempt in tries.items():
    try:
        said[name] = attempt()
    except OSError as error:
        said[name] = error.strerror
print(json.dumps(said))
"""
"""What a confined process tries; it prints what it gets, or why it does not."""


def wait_for(what: Callable[[], object]) -> bool:
    """Wait until something holds; whether it did in time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(URLError, ConnectionError):
            if what():
                return True
        time.sleep(0.1)
    return False


def is_alive(what: str) -> bool:
    """Whether a process answers its health check."""
    return subprocess.call(python("-m", "deploy.alive", what)) == 0


def handled() -> bool:
    """Whether the bot says that it has handled an update."""
    with urlopen("http://127.0.0.1:9090/metrics", timeout=5) as answer:
        return b'bot_messages_total{handler="ping.ping",status="ok"} 1.0' in answer.read()


def serve(report: dict[str, Any]) -> None:
    """Run bot and panel, ask them as the health checks do, have an update handled, end them."""
    telegram = Telegram()
    server = open_server(make_app(telegram), 0)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    ENVIRON["TELEGRAM_API_URL"] = f"http://127.0.0.1:{server.port}"
    migrated = subprocess.run(
        python("-m", "bot", "migrate"), capture_output=True, text=True, check=False
    )
    report["migrate"] = [migrated.returncode, migrated.stdout + migrated.stderr]
    running = {
        name: subprocess.Popen(
            python(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name, command in {"bot": ("-m", "bot", "run"), "panel": GUNICORN}.items()
    }
    for name, what in {"bot": "metrics", "panel": "panel"}.items():
        report[f"{name} alive"] = wait_for(partial(is_alive, what))
    telegram.send(BOT_ID, 1002, 1002, text="/ping")
    report["handled"] = wait_for(handled)
    for name, process in running.items():
        process.send_signal(signal.SIGTERM)
        try:
            said, _ = process.communicate(timeout=30)
            report[name] = [process.returncode, said[-3000:]]
        except subprocess.TimeoutExpired:
            process.kill()
            report[name] = [None, "did not end in 30 s"]
    server.shutdown()


def main() -> int:
    """Prepare, try, and tell."""
    prepare(Path(sys.argv[1]))
    tried = subprocess.run(python("-c", ATTEMPTS), stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = {"attempts": json.loads(tried.stdout)}
    serve(report)
    sys.stdout.write(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
