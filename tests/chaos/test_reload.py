"""Reloads under load: nothing lost, doubled or refused, and a broken set changes nothing."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from database import Database
from sandbox.telegram import Answer, File
from tests.chaos.accountant import Account
from tests.chaos.flow import Flow, Watched
from tests.chaos.town import HERE, Crowd

log = logging.getLogger(__name__)

GAP = 5.0
"""Seconds that an update may wait for a reload on a busy machine, in half of the reloads."""
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
PING = '''"""A new command."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("ping")
def ping(ctx: Context) -> str:
    """Answer."""
    return "{answer}"
'''


class Strict(Crowd):
    """Telegram that counts its 409s, also those that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conflicts = 0

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        answer = super().call(token, method, params, files)
        self.conflicts += answer.status == 409
        return answer


class Changing(Watched):
    """A town whose bot runs in production on plugins that are changed."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        shutil.copy(HERE / "plugins" / "record.py", self.plugins)
        production = {"ENVIRONMENT": "production", "SECRET_KEY": "s" * 40, "LOG_LEVEL": "INFO"}
        self.crowd = Strict()
        path = str(self.plugins)
        super().__init__(folder, database_url, crowd=self.crowd, PLUGINS_PATH=path, **production)

    def save(self, name: str, text: str) -> None:
        """Save a plugin, whole."""
        half = self.plugins / ".half"
        half.write_text(text)
        half.rename(self.plugins / name)

    def reload(self) -> tuple[int, str]:
        """`python -m bot reload`: its exit code, and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", "reload"],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def lives(self) -> list[str]:
        """The processes that handled something, each life of one pid by itself, in order."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return list(dict.fromkeys(line.split()[1] for line in lines if line.startswith("begin")))


@pytest.fixture
def town(town_database: Database, empty_database_url: str, tmp_path: Path) -> Iterator[Changing]:
    """A town on each engine."""
    with closing(Changing(tmp_path, empty_database_url)) as town:
        town.make_tables(town_database)
        yield town


def reload_again_and_again(
    town: Changing, database: Database, *, reloads: int, broken: set[int], rate: int = 100
) -> tuple[Account, list[float]]:
    """Reload under so many updates a second; the balance, and the longest wait at each reload."""
    bot = town.start()
    gaps = []
    with Flow(town, rate=rate) as flow:
        town.wait_for_handled(rate)
        for number in range(reloads):
            town.wait_for(lambda: town.handled() > len(flow.moments) - rate)
            first = len(flow.moments)
            wrong = number in broken
            town.save("extra.py", "plugin = \n" if wrong else PING.format(answer=number))
            code, said = town.reload()
            assert code == wrong, (said, town.complaints())
            if wrong:
                assert "extra.py:1: SyntaxError" in said
            town.wait_for(lambda: town.handled() > len(flow.moments) - rate)
            gaps.append(max(flow.delays(first, len(flow.moments)), default=0.0))
    town.drain(database, seconds=120)
    assert bot.poll() is None
    return town.account(), gaps


def require_clean(town: Changing, account: Account) -> None:
    assert account.clean, (account, town.complaints())
    assert (account.reruns, account.double_sends, account.unexpected) == (0, 0, 0), account
    assert town.crowd.conflicts == 0, town.complaints()


@ON_SQLITE
def test_two_reloads_lose_double_and_refuse_nothing(
    town: Changing, town_database: Database
) -> None:
    """One broken, one whole: the pid stays, the second set is live, every update has its effect."""
    account, _ = reload_again_and_again(town, town_database, reloads=2, broken={0}, rate=50)
    require_clean(town, account)
    assert len(town.lives()) == 2 and len({life.partition(".")[0] for life in town.lives()}) == 1


@pytest.mark.long
def test_twenty_reloads_five_of_them_broken(town: Changing, town_database: Database) -> None:
    """Twenty reloads under 100 updates a second: nothing lost, doubled, run twice or refused."""
    broken = {2, 3, 9, 14, 19}
    account, gaps = reload_again_and_again(town, town_database, reloads=20, broken=broken)
    whole = sorted(gap for number, gap in enumerate(gaps) if number not in broken)
    print(f"waits {[round(gap, 2) for gap in whole]}, {account}")  # noqa: T201  the figures
    require_clean(town, account)
    assert len(town.lives()) == 16
    assert whole[len(whole) // 2] < GAP


@pytest.mark.long
@ON_SQLITE
def test_control_a_next_one_that_does_not_wait_is_refused(
    town: Changing, town_database: Database
) -> None:
    """The town sees two that poll at once."""
    bot = town.start("no-handover")
    with Flow(town, rate=100):
        town.wait_for_handled(100)
        bot.send_signal(signal.SIGHUP)
        town.wait_for(lambda: town.crowd.conflicts)
