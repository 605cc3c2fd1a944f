"""The API against its own document: schemathesis asks, over HTTP, and every check must hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from models import AnalyticsEvent, User
from staff import Message
from tests.admin.api.conftest import BOT, Call, make_failure
from tests.conftest import ENGINES

PEOPLE = 40
"""Rows of each kind that operations may find; others are made up and found nowhere."""


class Quiet(WSGIRequestHandler):
    """Answers, and writes nothing down of it."""

    def log_request(self, *_about: object) -> None:
        """Schemathesis says what it asked."""


@pytest.fixture
def address(app: Flask, world: list[User]) -> Iterator[str]:
    """Where the panel is served, with enough in it to be erased and replayed."""
    for number in range(3, PEOPLE):
        user = User.create(telegram_id=100 + number, first_name=f"Person {number}")
        make_failure(number)
        AnalyticsEvent.create(event_type="message", user=user, data={"n": number})
        Message.create(bot_id=BOT, chat_id=100 + number, user=user, state="sent", text="Hello")
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def configure(folder: Path) -> Path:
    """Have a good part of what is asked for be there."""
    ids = ", ".join(map(str, range(1, PEOPLE)))
    path = folder / "schemathesis.toml"
    path.write_text(f"""
[dictionaries]
ids = {{ values = [{ids}] }}
plugins = {{ values = ["notes"] }}
settings = {{ values = ["limit", "ratio", "loud", "style", "key"] }}

[parameters]
"path.user_id" = {{ dictionary = "ids", probability = 0.5 }}
"path.failure_id" = {{ dictionary = "ids", probability = 0.5 }}
"path.message_id" = {{ dictionary = "ids", probability = 0.5 }}
"body.user_id" = {{ dictionary = "ids", probability = 0.5 }}
"path.plugin" = {{ dictionary = "plugins", probability = 0.8 }}
"path.setting" = {{ dictionary = "settings", probability = 0.8 }}
""")
    return path


def run(address: str, secret: str, folder: Path, *options: str) -> str:
    """Let schemathesis ask; what it says. All checks are on."""
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(configure(folder))]
    command += ["run", f"{address}/api/v1/openapi.json", "--checks", "all", "--seed", "7"]
    command += ["--generation-database", "none", "--no-color", "--warnings", "off", *options]
    command += ["--header", f"Authorization: Bearer {secret}", "--continue-on-failure"]
    environ = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout


def operations(said: str) -> int:
    """How many operations were tested."""
    found = re.search(r"(\d+) tested", said) or re.search(r"Tested: (\d+)", said)
    assert found, said
    return int(found[1])


@pytest.mark.parametrize("database_url", ENGINES[-1:], indirect=True)
def test_the_api_is_what_its_document_says(address: str, call: Call, tmp_path: Path) -> None:
    """A few examples of each operation: no 5xx and no answer that the document has not."""
    said = run(address, call().secret, tmp_path, "--max-examples", "3", "--phases", "fuzzing")
    assert operations(said) >= 20


@pytest.mark.long
def test_the_api_is_what_its_document_says_in_full(
    address: str, call: Call, tmp_path: Path
) -> None:
    """200 examples of each operation, the edges of each value, and chains of operations."""
    said = run(address, call().secret, tmp_path, "--max-examples", "200")
    sys.stdout.write(said)
    assert operations(said) >= 20
