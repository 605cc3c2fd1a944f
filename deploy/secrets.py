"""Write strong secrets for docker-compose.yml into secrets/: `make secrets`. None is replaced."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe

FOLDER = Path("secrets")
PASSWORD = 32
"""Bytes of chance in a password."""
TOKEN = re.compile(r"[0-9]{6,}:[A-Za-z0-9_-]{30,}")


def write(folder: Path, token: str, make: Callable[[], str]) -> list[str]:
    """Write the files that are missing; give their names.

    The folder is for its owner alone, the files for whoever a container runs as: each sees only
    those that are mounted into it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    postgres = _read(folder / "postgres_password") or make()
    redis = _password(folder / "redis_conf") or make()
    wanted = {
        "bot_token": token,
        "secret_key": make(),
        "postgres_password": postgres,
        "database_url": f"postgresql://steadygram:{postgres}@postgres:5432/steadygram",
        "redis_conf": f"requirepass {redis}\nappendonly no\nsave 300 100\nmaxmemory 128mb\n"
        "maxmemory-policy allkeys-lru\ndir /data\n",
        "redis_url": f"redis://:{redis}@redis:6379/0",
        "redis_passwords": json.dumps({"redis://redis:6379": redis}),
        "grafana_password": make(),
    }
    missing = [name for name in wanted if not _read(folder / name)]
    for name in missing:
        path = folder / name
        path.unlink(missing_ok=True)  # an empty one, which can only be read
        path.touch(mode=0o600)
        path.write_text(wanted[name])
        path.chmod(0o444)
    return missing


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _ask() -> str:
    try:
        return input("The bot's token from @BotFather: ").strip()
    except EOFError:
        return ""


def _password(conf: Path) -> str:
    return _read(conf).partition("requirepass ")[2].partition("\n")[0]


def main() -> int:
    """Ask for the token when it is not there yet, and write the rest; 1 for what is no token."""
    token = ""
    if not _read(FOLDER / "bot_token"):
        token = _ask()
        if not TOKEN.fullmatch(token):
            said = "That is no token: @BotFather gives one such as 123456789:AA and more letters."
            print(f"{said} Nothing was written.", file=sys.stderr)
            return 1
    missing = write(FOLDER, token, lambda: token_urlsafe(PASSWORD))
    print(f"Written: {', '.join(missing) or 'nothing, all were there'}. Keep {FOLDER}/ safe.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
