"""The search for tokens in all that a test run leaves behind; a token that is found fails its test.

Searched are what a test and its child processes printed and logged, the errors that were logged
with the locals of all their frames, every file and database of the test, and the metrics of the
bots in them. Not searched is what the tests themselves hold, and the sandbox: they are Telegram.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest

from settings import SANDBOX_TOKEN
from tests.tracebacks import watch

SECRETS = (SANDBOX_TOKEN.partition(":")[2], "AAxPlainTokenThatNobodyMaySee_0123456")
"""The secret parts of the tokens of bots in tests; what is printed must hold no others either."""
LOOKS = re.compile(rb"[0-9]{6,}(:|%3[Aa])[A-Za-z0-9_-]{30,}")


def has_secret(data: bytes) -> bool:
    """Whether the secret part of a bot's token is in it."""
    return any(secret.encode() in data for secret in SECRETS)


def files_with_token(folder: Path) -> Iterator[str]:
    """The files of a folder that hold the token of a bot."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and has_secret(path.read_bytes()):
            yield f"file {path.relative_to(folder)}"


def tables_with_token(cursor: psycopg2.extensions.cursor) -> list[str]:
    """The tables of a PostgreSQL database that hold the token of a bot."""
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    each = [
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\" AS one WHERE one::text ~ %s)"
        for (name,) in cursor.fetchall()
    ]
    if not each:
        return []
    cursor.execute(" UNION ALL ".join(each), ["|".join(SECRETS)] * len(each))
    return [f"table {name}" for (name,) in cursor.fetchall()]


class Search:
    """Collects where tokens were found since the last test, and fails the test for it."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self._communicate = subprocess.Popen.communicate
        self._readouterr = pytest.CaptureFixture.readouterr
        self._unwatch = watch(self.look_into)

    def look(self, text: Any, place: str) -> None:
        """Look at what was printed."""
        data = text.encode(errors="replace") if isinstance(text, str) else text or b""
        if has_secret(data) or LOOKS.search(data):
            self.places.append(place)

    def look_into(self, text: str) -> None:
        """Look at a record or a piece of a traceback, as it is before a writer masks it."""
        if has_secret(text.encode(errors="replace")):
            self.places.append(f"logged: {text[:200]}")

    def take(self) -> list[str]:
        """Give what was found, and begin anew."""
        places, self.places = self.places, []
        return places

    def listen(self) -> None:
        """Look at what tests read of child processes and of their own output."""
        search, communicate, readouterr = self, self._communicate, self._readouterr

        def heard(child: Any, *arguments: Any, **options: Any) -> Any:
            outputs = communicate(child, *arguments, **options)
            for output in outputs:
                search.look(output, f"output of {child.args}"[:200])
            return outputs

        def read(capture: Any) -> Any:
            result = readouterr(capture)
            search.look(result.out, "stdout")
            search.look(result.err, "stderr")
            return result

        subprocess.Popen.communicate = heard  # type: ignore[method-assign,assignment]
        pytest.CaptureFixture.readouterr = read  # type: ignore[method-assign,assignment]

    def pytest_unconfigure(self) -> None:
        """Leave everything as it was."""
        self._unwatch()
        subprocess.Popen.communicate = self._communicate  # type: ignore[method-assign]
        pytest.CaptureFixture.readouterr = self._readouterr  # type: ignore[method-assign]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look through what is left of a test when it is over."""
        report = yield
        self.look(report.longreprtext, "the report of the failure")
        if report.when == "teardown":
            for name, text in report.sections:
                (self.look_into(text) if "log" in name else self.look(text, name))
            folder = getattr(item, "funcargs", {}).get("tmp_path")
            if folder is not None:
                self.places += files_with_token(folder)
            if places := self.take():
                report.outcome = "failed"
                report.longrepr = "A token was found: " + "; ".join(places)
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Search this run."""
    search = Search()
    search.listen()
    config.pluginmanager.register(search, "token-search")
