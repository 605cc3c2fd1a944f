"""The search for tokens: wherever one is planted it is found, and fails the test that left it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.conftest import connect_postgres
from tests.leaks import SECRETS, files_with_token, tables_with_token
from tests.tracebacks import ROOT

LEAKY = """
import logging, os, subprocess, sys, threading
from bot.form import form

HALVES = ("sandbox_sandbox_", "sandbox_sandbox_000")
SECRET = "".join(HALVES)

def test_prints():
    print(SECRET)

def test_prints_any_token():
    print("123456789:" + "A" * 35)

def test_prints_from_a_child():
    os.write(2, SECRET.encode())

def test_reads_from_a_child():
    subprocess.run([sys.executable, "-c", "print(*%r, sep='')" % (HALVES,)], capture_output=True)

def test_reads_its_own(capsys):
    print(SECRET)
    capsys.readouterr()

def test_logs():
    logging.warning(SECRET)

def test_fails():
    raise ValueError(SECRET)

def test_holds_it_in_a_frame():
    try:
        form({"a": SECRET, 5: 5})
    except Exception:
        logging.exception("oh")

def test_writes(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "file").write_text(SECRET)

def test_is_good(tmp_path):
    (tmp_path / "file").write_text(HALVES[0])
"""


def test_whatever_leaks_fails(tmp_path: Path) -> None:
    """A run in which tokens are planted in every way fails for each of them, and for no other."""
    leaky = tmp_path / "test_leaky.py"
    leaky.write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "tests.leaks", "-p", "no:cacheprovider"]
    command += ["-c", "/dev/null", f"--rootdir={tmp_path}", f"--basetemp={tmp_path / 'base'}"]
    with subprocess.Popen([*command, str(leaky)], cwd=ROOT, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        said = run.stdout.read().decode()
    missed = [
        line.partition("(")[0].removeprefix("def ")
        for line in LEAKY.splitlines()
        if line.startswith("def ") and f"at teardown of {line[4:].partition('(')[0]} " not in said
    ]
    assert (missed, run.returncode) == (["test_is_good"], 1), said
    leaky.unlink()
    for path in (tmp_path / "base").rglob("file"):
        path.unlink()


def test_a_token_in_a_database_is_found(tmp_path: Path, postgres_url: str) -> None:
    """It is found in the file of an SQLite database, and in a table of a PostgreSQL one."""
    with sqlite3.connect(tmp_path / "test.db") as lite:
        lite.execute("CREATE TABLE kept (id INTEGER, payload TEXT)")
        lite.execute("INSERT INTO kept VALUES (1, ?)", [f"https://x/bot1:{SECRETS[0]}/getMe"])
    lite.close()
    assert list(files_with_token(tmp_path)) == ["file test.db"]
    (tmp_path / "test.db").unlink()
    connection = connect_postgres(postgres_url)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id INTEGER, payload JSONB); CREATE TABLE other (id INT)")
        cursor.execute("INSERT INTO kept VALUES (1, to_jsonb(%s::text))", [SECRETS[1]])
        assert tables_with_token(cursor) == ["table kept"]
        cursor.execute("TRUNCATE kept")
    connection.close()
