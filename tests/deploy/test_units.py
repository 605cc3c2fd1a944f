"""The units of systemd: they run what the documents say, confined, and the filters let it run."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT, run, tool

FOLDER = ROOT / "deploy" / "systemd"
NAMES = ("bot", "panel")
PYTHON = "/opt/steadygram/.venv/bin/python"
CONFINED = {
    "User": ["steadygram"],
    "NoNewPrivileges": ["true"],
    "ProtectSystem": ["strict"],
    "ProtectHome": ["true"],
    "PrivateTmp": ["true"],
    "PrivateDevices": ["true"],
    "ProtectProc": ["invisible"],
    "CapabilityBoundingSet": [""],
    "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
    "SystemCallArchitectures": ["native"],
    "ReadWritePaths": ["/opt/steadygram/data"],
    "StateDirectory": ["steadygram"],
    "StateDirectoryMode": ["0700"],
    "UMask": ["0077"],
    "EnvironmentFile": ["/etc/steadygram/environment"],
    "WorkingDirectory": ["/opt/steadygram"],
}
FILTERS = ["@system-service", "~@privileged @resources"]

units = pytest.mark.parametrize("name", NAMES)


def unit(name: str) -> dict[str, list[str]]:
    """What the section Service of a unit says, every value of a name in its order."""
    text = (FOLDER / f"steadygram-{name}.service").read_text()
    said: dict[str, list[str]] = {}
    for line in text.partition("[Service]\n")[2].partition("\n[")[0].splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            said.setdefault(key, []).append(value)
    return said


def procfile() -> dict[str, list[str]]:
    """The words of each command of the Procfile, without what only a Procfile needs."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    found = {}
    for line in lines:
        name, _, command = line.partition(":")
        found[name] = [word for word in shlex.split(command) if word not in ("exec", "--keep")]
    return found


@units
def test_a_unit_is_confined(name: str) -> None:
    """No root, no rights, one folder to write to; nothing is taken back by a second line."""
    said = unit(name)
    assert {key: said.get(key) for key in CONFINED} == CONFINED
    assert "ProcSubset" not in said, "the lease reads the boot, and the check what is mounted"
    assert said["SystemCallFilter"][:2] == FILTERS
    more = said["SystemCallFilter"][2:]
    assert more == (["setpriority"] if name == "bot" else []), "for the backup alone"


def test_these_are_the_commands() -> None:
    """Those of the Procfile, by the Python of the installation; the bot migrates first."""
    wanted, bot, panel = procfile(), unit("bot"), unit("panel")
    for said, verb in ((bot["ExecStart"], "bot"), (panel["ExecStart"], "web")):
        assert said == [shlex.join([PYTHON, *wanted[verb][1:]])]
    assert bot["ExecStartPre"] == [shlex.join([PYTHON, *wanted["release"][1:]])]
    assert "ExecStartPre" not in panel


@units
def test_a_unit_starts_again_and_ends_in_peace(name: str) -> None:
    """Whenever it ends, but for a setting that is wrong; thirty seconds to end."""
    said = unit(name)
    assert said["Restart"] == ["always"] and said["RestartPreventExitStatus"] == ["2"]
    assert int(said["TimeoutStopSec"][0]) >= 30
    assert said["KillMode"] == ["mixed"] and said["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_migrations_have_their_time() -> None:
    """The default of ninety seconds would end them halfway."""
    assert unit("bot")["TimeoutStartSec"] == ["15min"]


@units
def test_systemd_finds_no_fault(name: str, tmp_path: Path) -> None:
    """`verify` says nothing of a unit whose program is there, and something of a word it lacks."""
    verify = [tool("systemd-analyze"), "verify"]
    path = tmp_path / f"steadygram-{name}.service"
    text = (FOLDER / path.name).read_text().replace(PYTHON, "/bin/true")
    path.write_text(text)
    said = subprocess.run([*verify, str(path)], capture_output=True, text=True, check=False)
    assert said.stderr == ""
    path.write_text(text.replace("ProtectSystem=", "ProtectSistem="))
    said = subprocess.run([*verify, str(path)], capture_output=True, text=True, check=False)
    assert "ProtectSistem" in said.stderr


@pytest.mark.parametrize(("name", "tenths"), [("bot", 15), ("panel", 14)])
def test_systemd_rates_it_as_the_documents_say(name: str, tenths: int) -> None:
    """Of 100, which is open to everything; one line less is rated worse."""
    rate = [tool("systemd-analyze"), "security", "--offline=true"]
    path = str(FOLDER / f"steadygram-{name}.service")
    run([*rate, f"--threshold={tenths}", path])
    strict = [*rate, f"--threshold={tenths - 1}", path]
    assert subprocess.run(strict, capture_output=True, check=False).returncode == 1
    assert f"{name} {tenths / 10}" in (ROOT / "docs/deploy.md").read_text()
