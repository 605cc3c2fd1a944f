"""Compose and the image: each service is held as tightly as it can be, and nothing is left open."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.deploy.tools import ROOT, run, tool

COMPOSE = ROOT / "docker-compose.yml"


def read(path: Path) -> Any:
    """What a YAML file says."""
    return yaml.safe_load(path.read_text())


WHOLE = read(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
POSTGRES_MAY = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
"""What the official image needs to give its folder to its user before it becomes that one."""

COMMANDS = {
    "migrate": ["python", "-m", "bot", "migrate"],
    "bot": ["python", "-m", "bot", "run"],
    "panel": ["gunicorn", "-c", "python:admin.gunicorn", "admin.wsgi:app"],
}
LOCAL = "http://127.0.0.1"
ASKED = {
    "bot": "python -m deploy.alive metrics",
    "panel": "python -m deploy.alive panel",
    "postgres": "pg_isready -U steadygram -d steadygram",
    "redis": "redis-cli ping | grep -q PONG",
    "prometheus": f"wget -q -O /dev/null {LOCAL}:9090/-/ready",
    "grafana": f"wget -q -O /dev/null {LOCAL}:3000/api/health",
    "loki": f"wget -q -O /dev/null {LOCAL}:3100/ready",
    "alloy": "/dev/tcp/127.0.0.1/12345",
    "dozzle": "/dozzle healthcheck",
    "postgres-exporter": f"wget -q -O /dev/null {LOCAL}:9187/",
    "redis-exporter": f"wget -q -O /dev/null {LOCAL}:9121/health",
}
"""What each health check asks: the service itself, not whether its program is there."""
SOCKET = "/var/run/docker.sock:/var/run/docker.sock:ro"
MOUNTED = {
    "migrate": [],
    "bot": ["./plugins:/app/plugins:ro", "data:/app/data"],
    "panel": ["./plugins:/app/plugins:ro", "data:/app/data:ro"],
    "postgres": ["postgres:/var/lib/postgresql/data"],
    "redis": ["redis:/data"],
    "prometheus": ["./deploy/prometheus:/etc/prometheus:ro", "prometheus:/prometheus"],
    "grafana": [
        "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro",
        "./deploy/grafana/dashboards:/var/lib/grafana/dashboards:ro",
        "grafana:/var/lib/grafana",
    ],
    "loki": ["./deploy/loki:/etc/loki:ro", "loki:/loki"],
    "alloy": ["./deploy/alloy:/etc/alloy:ro", SOCKET, "alloy:/var/lib/alloy"],
    "dozzle": [SOCKET],
    "postgres-exporter": [],
    "redis-exporter": [],
}
"""What would be lost with a container, or not be found in it, were it not mounted."""

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
    assert {name: SERVICES[name]["command"] for name in ours} == COMMANDS


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
    """Each is asked whether it answers, without a shell where there is none; not the one-shot."""
    service = SERVICES[name]
    if name == "migrate":
        return
    check = service["healthcheck"]
    kind, *words = check["test"]
    assert kind in ("CMD", "CMD-SHELL") and ASKED[name] in " ".join(words)
    assert seconds(check["timeout"]) <= seconds(check["interval"])


@pytest.mark.parametrize(("answer", "code"), [("200 OK", 0), ("503 Unready", 1), ("", 1)])
def test_the_check_of_alloy_tells_ready_from_unready(answer: str, code: int) -> None:
    """Bash alone asks; whatever is no 200, or nobody at all, is unhealthy."""
    kind, bash, *words = SERVICES["alloy"]["healthcheck"]["test"]
    assert (kind, bash) == ("CMD", "bash")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def reply() -> None:
            connection, _ = server.accept()
            with connection:
                with connection.makefile("rb") as lines:
                    assert [next(lines), next(lines)] == [b"GET /-/ready HTTP/1.0\r\n", b"\r\n"]
                connection.sendall(f"HTTP/1.0 {answer}\r\n\r\n".encode() if answer else b"")

        thread = threading.Thread(target=reply)
        thread.start()
        asked = [tool("bash"), *(w.replace("12345", str(port)).replace("$$", "$") for w in words)]
        said = subprocess.run(asked, capture_output=True, check=False)
        thread.join()
    assert said.returncode == code
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 1


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
    """Of our files nothing can be written; data is in named volumes; each has what it needs."""
    assert SERVICES[name].get("volumes", []) == MOUNTED[name]
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith((".", "/")):
            assert volume.endswith(":ro"), volume
        else:
            assert source in WHOLE["volumes"]


def test_who_asks_the_world_reaches_it() -> None:
    """The bot asks Telegram, the panel too; a network that is internal has no way out."""
    for name in ("bot", "panel"):
        assert set(SERVICES[name]["networks"]) == {"data", "outside", "watch"}
    assert WHOLE["networks"]["outside"] == {}


def test_grafana_reaches_what_it_shows() -> None:
    """Each source is a service on a network of Grafana's, at the port that this one listens on."""
    path = ROOT / "deploy/grafana/provisioning/datasources/sources.yml"
    urls = {each["type"]: urlsplit(each["url"]) for each in read(path)["datasources"]}
    assert {kind: url.hostname for kind, url in urls.items()} == {
        "prometheus": "prometheus",
        "loki": "loki",
    }
    for name, url in urls.items():
        assert SERVICES[name]["ports"][0].endswith(f":{url.port}") and url.scheme == "http"
        assert set(SERVICES[name]["networks"]) & set(SERVICES["grafana"]["networks"])


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
    assert "groupadd --gid 10001 " in DOCKERFILE
    assert "useradd --uid 10001 --gid 10001 " in DOCKERFILE


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
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ${BASE}") :]
    assert not re.search(r"apt|gcc|build-essential|curl|wget|ADD |pip install", last)
    assert last.index("/usr/local/bin/python -m pip uninstall --yes pip") < last.index("USER ")
    health = re.findall(r"^HEALTHCHECK (.*\\\n    .*|.*)$", last, re.MULTILINE)
    assert [each.partition("CMD ")[2] for each in health] == [
        '["python", "-m", "deploy.alive", "metrics"]'
    ]


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
