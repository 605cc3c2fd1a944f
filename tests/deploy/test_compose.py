"""Compose and the image: each service is held as tightly as it can be, and nothing is left open."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import ROOT, run, tool

COMPOSE = ROOT / "docker-compose.yml"
WHOLE = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
POSTGRES_MAY = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
"""What the official image needs to give its folder to its user before it becomes that one."""

services = pytest.mark.parametrize("name", sorted(SERVICES))


def seconds(text: str) -> float:
    """A duration such as 30s."""
    return float(text.removesuffix("s"))


def test_these_are_the_services() -> None:
    """One image for our processes, what they stand on, and the watch in a profile of its own."""
    ours = {"migrate", "bot", "panel"}
    watch = {name for name, service in SERVICES.items() if service.get("profiles")}
    assert set(SERVICES) - watch == ours | {"postgres", "redis"}
    assert watch == {
        *("prometheus", "grafana", "loki", "alloy", "dozzle"),
        *("postgres-exporter", "redis-exporter"),
    }
    assert all(SERVICES[name]["profiles"] == ["monitoring"] for name in watch)
    assert {SERVICES[name]["image"] for name in ours} == {"steadygram:local"}


@services
def test_a_service_is_confined(name: str) -> None:
    """Read-only, no capabilities, no new rights, bounds on memory and processes."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) <= (POSTGRES_MAY if name == "postgres" else set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 256
    assert not service.get("privileged")
    assert not {"network_mode", "pid", "ipc", "devices"} & set(service)


@services
def test_a_service_starts_again_and_ends_in_peace(name: str) -> None:
    """Restarted, but for the one-shot; thirty seconds to end; logs that fill no disk."""
    service = SERVICES[name]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert seconds(service["stop_grace_period"]) == 30
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@services
def test_a_service_is_checked(name: str) -> None:
    """Each has a health check without a shell where there is none; the one-shot has none."""
    service = SERVICES[name]
    if name == "migrate":
        return
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert seconds(check["timeout"]) <= seconds(check["interval"])


@services
def test_ports_are_for_this_machine_alone(name: str) -> None:
    """What is published is bound to the loopback; a reverse proxy opens it to the world."""
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port


def test_the_ports_are_those_of_the_documents() -> None:
    """And no database is among them."""
    published = {
        name: int(service["ports"][0].split(":")[1])
        for name, service in SERVICES.items()
        if service.get("ports")
    }
    assert published == {
        "bot": 9090,
        "panel": 8000,
        "prometheus": 9091,
        "grafana": 3000,
        "loki": 3100,
        "dozzle": 8888,
    }


@services
def test_secrets_come_from_files(name: str) -> None:
    """No value of a secret is in the environment, and every file that is named is declared."""
    service = SERVICES[name]
    assert set(service.get("secrets", ())) <= set(WHOLE["secrets"])
    for key, value in service.get("environment", {}).items():
        if re.search(r"TOKEN|PASSWORD|PASS|SECRET|KEY|(?<!ADMIN)_URL", key):
            assert str(value).startswith("/run/secrets/"), key
            assert key.endswith(("_FILE", "__FILE"))
            assert str(value).removeprefix("/run/secrets/") in service["secrets"]


def test_secrets_are_files_in_a_folder_that_is_ignored() -> None:
    """Neither git nor the image sees them."""
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in WHOLE["secrets"].items())
    for ignored in (".gitignore", ".dockerignore"):
        lines = (ROOT / ignored).read_text().split()
        assert {"secrets/", "secrets"} & set(lines), ignored
        assert ".env" in lines
    assert ".git" in (ROOT / ".dockerignore").read_text().split()


def test_the_database_is_reached_from_within_alone() -> None:
    """Its network has no way out, and only who needs it is in it."""
    networks = WHOLE["networks"]
    assert networks["data"] == networks["watch"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]
        assert "ports" not in SERVICES[name]
    there = {name for name, service in SERVICES.items() if "data" in service["networks"]}
    assert there == {
        *("migrate", "bot", "panel", "postgres", "redis"),
        *("postgres-exporter", "redis-exporter"),
    }


@services
def test_what_is_mounted_is_read_only_or_a_volume(name: str) -> None:
    """Of our files nothing can be written; data is in named volumes."""
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith((".", "/")):
            assert volume.endswith(":ro"), volume
        else:
            assert source in WHOLE["volumes"]


def test_processes_wait_for_what_they_need() -> None:
    """Tables first, on a database that answers."""
    for name in ("bot", "panel"):
        conditions = {
            other: each["condition"] for other, each in SERVICES[name]["depends_on"].items()
        }
        assert conditions == {
            "migrate": "service_completed_successfully",
            "postgres": "service_healthy",
            "redis": "service_healthy",
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_our_processes_run_as_the_user_of_the_image() -> None:
    """10001, in the image and in Compose."""
    for name in ("migrate", "bot", "panel"):
        assert SERVICES[name]["user"] == "10001:10001"
        assert SERVICES[name]["init"] is True
    assert "USER 10001:10001" in DOCKERFILE


def test_images_are_of_one_version() -> None:
    """No image moves under us."""
    for service in SERVICES.values():
        assert re.search(r":v?\d+\.\d+|:local$", service["image"]), service["image"]


def test_the_image_is_small_and_safe() -> None:
    """Two stages, a base by digest, exec form, a health check, and no pip in what runs."""
    lines = DOCKERFILE.splitlines()
    base = lines[[line[:9] for line in lines].index("ARG BASE=")]
    assert re.fullmatch(r"ARG BASE=python:[\d.]+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM ${BASE} AS build",
        "FROM ${BASE}",
    ]
    assert "--require-hashes" in DOCKERFILE and "uninstall --yes pip" in DOCKERFILE
    commands = [line.strip() for line in lines if line.strip().startswith(("CMD", "ENTRYPOINT"))]
    assert commands and all(re.fullmatch(r'CMD \[".+"\]', line) for line in commands)
    assert "HEALTHCHECK" in DOCKERFILE
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ${BASE}") :]
    assert not re.search(r"apt|gcc|build-essential|curl|wget|ADD ", last)


def test_compose_follows_its_specification(tmp_path: Path) -> None:
    """The current schema accepts it, and refuses a word that is none."""
    check = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    run([*check, str(COMPOSE)])
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("    read_only: true", "", 1) + "\nservises: {}\n")
    assert subprocess.run([*check, str(wrong)], capture_output=True, check=False).returncode == 1


def test_the_dockerfile_has_no_fault_that_hadolint_knows(tmp_path: Path) -> None:
    """No warning; and one for a file that adds what it should copy."""
    run([tool("hadolint"), str(ROOT / "Dockerfile")])
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(f"{DOCKERFILE}\nADD . /other\nCMD python -m bot\n")
    said = subprocess.run([tool("hadolint"), str(wrong)], capture_output=True, check=False)
    assert said.returncode == 1
