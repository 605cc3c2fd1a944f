"""Secrets for Compose: strong, each its own, in files that fit together, and never replaced."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy import secrets
from tests.deploy.tools import ROOT

TOKEN = "123456789:made_up_made_up_made_up_made_up_35"


def made(folder: Path) -> dict[str, str]:
    """Each file with what is in it."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def write(folder: Path) -> list[str]:
    numbers = iter(range(100))
    return secrets.write(folder, "token", lambda: f"chance{next(numbers)}")


def test_they_are_those_that_compose_names(tmp_path: Path) -> None:
    """Each secret of docker-compose.yml has its file, and no other is written."""
    folder = tmp_path / "secrets"
    wanted = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["secrets"]
    assert sorted(write(folder)) == sorted(wanted) == sorted(made(folder))


def test_they_fit_together(tmp_path: Path) -> None:
    """The addresses hold the passwords that the servers are told."""
    write(tmp_path)
    found = made(tmp_path)
    assert f":{found['postgres_password']}@postgres:5432/" in found["database_url"]
    password = found["redis_url"].removeprefix("redis://:").partition("@")[0]
    assert f"requirepass {password}\n" in found["redis_conf"]
    assert json.loads(found["redis_passwords"]) == {"redis://redis:6379": password}
    assert found["bot_token"] == "token"
    assert len({found[n] for n in ("secret_key", "postgres_password", "grafana_password")}) == 3


def test_none_is_replaced(tmp_path: Path) -> None:
    """A second run writes nothing; one that is missing is made to fit the others."""
    write(tmp_path)
    before = made(tmp_path)
    assert secrets.write(tmp_path, "other", lambda: "other") == []
    for name in ("database_url", "redis_url", "redis_passwords"):
        (tmp_path / name).unlink()
        assert secrets.write(tmp_path, "other", lambda: "other") == [name]
    assert made(tmp_path) == before


def test_others_of_the_machine_do_not_see_them(tmp_path: Path) -> None:
    """The folder is its owner's alone; the files can be read by whoever a container runs as."""
    folder = tmp_path / "secrets"
    write(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}


def test_make_secrets_asks_for_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks once, says which files it wrote, and shows no value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TOKEN}\n"))
    assert secrets.main() == 0
    said = capsys.readouterr().out
    found = made(tmp_path / "secrets")
    assert found["bot_token"] == TOKEN
    assert all(value not in said for name, value in found.items() if name != "redis_conf")
    assert len(found["secret_key"]) >= 43
    assert secrets.main() == 0
    assert "nothing, all were there" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["", "\n", "hello\n", f"{TOKEN[:20]}\n"])
def test_what_is_no_token_is_refused(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and nothing is written; so the next run asks again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    assert secrets.main() == 1
    assert "That is no token" in capsys.readouterr().err
    assert not (tmp_path / "secrets").exists()


def test_an_empty_file_is_written_anew(tmp_path: Path) -> None:
    """As it would be left by a full disk."""
    write(tmp_path)
    (tmp_path / "bot_token").unlink()
    (tmp_path / "bot_token").touch(mode=0o444)
    assert secrets.write(tmp_path, TOKEN, lambda: "other") == ["bot_token"]
    assert made(tmp_path)["bot_token"] == TOKEN


def test_it_needs_no_package(tmp_path: Path) -> None:
    """It runs before anything is installed: with the Python of the system, and nothing else."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r});"]
    command[-1] += "from deploy import secrets; sys.exit(secrets.main())"
    subprocess.run(
        command, input=f"{TOKEN}\n", text=True, cwd=tmp_path, env=environ, check=True, stdout=-1
    )
    assert (tmp_path / "secrets" / "bot_token").read_text() == TOKEN
