"""The entry points under the restrictions of docker-compose.yml: they work, and may do no more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools import ROOT

UNSHARE = ["unshare", "-m", "-p", "-f", "-n", "--kill-child", "--propagation", "private"]
COPIED = ("admin", "bot", "deploy", "locales", "migrations", "plugins", "sandbox", "services")


def can_confine() -> bool:
    """Whether this machine lets us: as root, with namespaces, chroot and setpriv."""
    tools = ("unshare", "setpriv", "chroot", "ip", "mount")
    if os.geteuid() != 0 or not all(map(shutil.which, tools)):
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_confine(), reason="needs root and namespaces")


def confine(folder: Path) -> dict[str, Any]:
    """What happened to the confined processes."""
    app = folder / "app"
    for name in COPIED:
        shutil.copytree(ROOT / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("*.py"):
        shutil.copy(path, app)
    app.chmod(0o755)
    command = [*UNSHARE, sys.executable, "-m", "tests.deploy.confined", str(app)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def a_process_has_no_rights(report: dict[str, Any]) -> None:
    """User 10001, no capability, none to be had."""
    lines = report["attempts"]["rights"].splitlines()
    rights = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    for name in ("CapEff", "CapBnd", "CapPrm"):
        assert int(rights[name], 16) == 0
    assert rights["NoNewPrivs"] == "1"
    assert set(rights["Uid"].split()) == set(rights["Gid"].split()) == {"10001"}
    assert rights["Groups"] == ""


def it_writes_where_it_must_and_nowhere_else(report: dict[str, Any]) -> None:
    """data/ and a small /tmp; the project and the root are read-only."""
    attempts = report["attempts"]
    assert attempts["data"] == attempts["tmp"] == "written"
    assert attempts["project"] == attempts["root"] == "Read-only file system"
    assert attempts["full"] == "No space left on device"


def it_reaches_no_network(report: dict[str, Any]) -> None:
    """There is only the loopback."""
    assert report["attempts"]["outside"] == "Network is unreachable"


def the_tables_are_made(report: dict[str, Any]) -> None:
    """`python -m bot migrate`, the one-shot of Compose."""
    code, said = report["migrate"]
    assert code == 0, said


def the_bot_handles_updates_and_ends_in_time(report: dict[str, Any]) -> None:
    """`python -m bot run` answers its health check, handles an update, and ends on SIGTERM."""
    code, said = report["bot"]
    assert report["bot alive"] and report["handled"], said
    assert code == 0, said
    assert '"level":"error"' not in said and '"level":"critical"' not in said


def the_panel_is_served_and_ends_in_time(report: dict[str, Any]) -> None:
    """gunicorn answers its health check with its workers on a read-only root."""
    code, said = report["panel"]
    assert report["panel alive"], said
    assert code == 0, said
    assert '"level":"error"' not in said and '"level":"critical"' not in said


def test_the_entry_points_work_confined_and_may_do_no_more(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """All of the above, of one run: starting the processes is what takes the time."""
    report = confine(tmp_path_factory.mktemp("image"))
    for holds in (
        a_process_has_no_rights,
        it_writes_where_it_must_and_nowhere_else,
        it_reaches_no_network,
        the_tables_are_made,
        the_bot_handles_updates_and_ends_in_time,
        the_panel_is_served_and_ends_in_time,
    ):
        holds(report)
