"""Reloads under load: nothing lost, doubled or refused, and a broken set changes nothing."""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from database import Database
from tests.bot.test_renewal import SHELF
from tests.chaos.accountant import Account
from tests.chaos.flow import Flow, Watched
from tests.chaos.town import HERE

log = logging.getLogger(__name__)

GAP = 5.0
"""Seconds for which nobody is answered, on a busy machine, in half of the reloads."""
PAUSE = 0.2
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
PING = '''"""A new command."""
from bot import Context, Plugin

plugin = Plugin(__name__)


@plugin.command("ping")
def ping(ctx: Context) -> str:
    """Answer."""
    return "{answer}"
'''


HANG = """import os
import time

open("{file}", "w").write(str(os.getpid()))
time.sleep(1000)
"""


class Changing(Watched):
    """A town whose bot runs in production on plugins that are changed."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.plugins = folder / "plugins"
        self.plugins.mkdir()
        shutil.copy(HERE / "plugins" / "record.py", self.plugins)
        production = {"ENVIRONMENT": "production", "SECRET_KEY": "s" * 40, "CHAOS_SECONDS": "0.002"}
        super().__init__(folder, database_url, PLUGINS_PATH=str(self.plugins), **production)

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


@pytest.mark.long
def test_sets_that_change(town: Changing, town_database: Database) -> None:
    """A plugin comes with a table, is changed while it asks, and goes; a wrong one is no change."""
    (town.plugins / "record.py").unlink()
    town.save("ping.py", PING.format(answer="pong"))
    bot = town.start(OWNER_IDS="5999")
    assert ask(town, "/ping") == "pong"
    town.save("shelf.py", SHELF.format(edition="first"))
    (town.plugins / "ping.py").unlink()
    assert town.reload()[0] == 0, town.complaints()
    assert ask(town, "/add") == "Which?"
    town.save("shelf.py", SHELF.format(edition="second"))
    assert town.reload()[0] == 0, town.complaints()
    assert ask(town, "Faust") == "second: Faust, 1 in all"
    town.save("crash.py", "import ctypes\n\nctypes.string_at(0)\n")
    for _ in range(2):
        code, said = town.reload()
        assert code == 1 and "was ended by SIGSEGV" in said and 'crash.py", line 3' in said
    wrong = PING.replace("Answer.", "Answer.\n\n    /ping → pang\n    ")
    town.save("crash.py", wrong.format(answer="pong"))
    assert "crash: /ping → pang: the bot says ['pong']" in town.reload()[1]
    (town.plugins / "crash.py").unlink()
    town.telegram.write(5001, 7, "/ping")
    assert ask(town, "/add") == "Which?"
    told = [text for chat, text in town.telegram.replies if chat == 5999]
    assert len(told) == 2 and "SIGSEGV" in told[0] and "goes on as it was" in told[0]
    assert bot.poll() is None and "polls with the same bot token" not in town.complaints()
    assert [text for _, text in town.telegram.replies].count("pong") == 1


@pytest.mark.long
@ON_SQLITE
def test_an_end_in_a_reload_is_an_end(town: Changing, town_database: Database) -> None:
    """SIGTERM while the trial hangs: status 0, soon, and the trial ends too."""
    bot = town.start()
    town.telegram.write(5001, 0)
    town.wait_for_handled(1)
    trial = town.plugins.parent / "trial"
    town.save("hang.py", HANG.format(file=trial))
    bot.send_signal(signal.SIGHUP)
    town.wait_for(trial.exists)
    bot.send_signal(signal.SIGHUP)
    bot.send_signal(signal.SIGTERM)
    assert bot.wait(5) == 0, town.complaints()
    town.wait_for(lambda: not Path(f"/proc/{trial.read_text()}").exists())


def ask(town: Changing, text: str) -> str:
    """Say something; what the bot says next."""
    before = len(town.telegram.replies)
    town.telegram.write(5001, before, text)
    town.wait_for(lambda: len(town.telegram.replies) > before)
    return town.telegram.replies[-1][1]


def reload_again_and_again(
    town: Changing, database: Database, *, reloads: int, broken: set[int], rate: int = 100
) -> tuple[Account, list[float]]:
    """Reload under so many updates a second; the balance, and the seconds of silence in each."""
    bot = town.start()
    gaps = []
    with Flow(town, rate=rate):
        town.wait_for_handled(rate)
        for number in range(reloads):
            begun = town.wait_for(lambda: town.wait_for_work() < PAUSE)
            wrong = number in broken
            town.save("extra.py", "plugin = \n" if wrong else PING.format(answer=number))
            code, said = town.reload()
            assert code == wrong, (said, town.complaints())
            if wrong:
                assert "extra.py:1: SyntaxError" in said
            wait_for_answer(town)
            gaps.append(silence(town, begun))
    town.drain(database, seconds=600)
    assert bot.poll() is None
    return town.account(), gaps


def wait_for_answer(town: Changing) -> None:
    """Wait for one more answer."""
    before = len(town.replies)
    town.wait_for(lambda: len(town.replies) > before)


def silence(town: Changing, since: float) -> float:
    """The longest time between two answers."""
    moments = sorted(moment for moment in list(town.replies.first.values()) if moment > since)
    return max((two - one for one, two in pairwise(moments)), default=0.0)


def require_clean(town: Changing, account: Account) -> None:
    assert account.clean, (account, town.complaints())
    assert (account.reruns, account.double_sends, account.unexpected) == (0, 0, 0), account
    assert town.telegram.conflicts == 0, town.complaints()


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
    print(f"silence {[round(gap, 2) for gap in whole]}, {account}")  # noqa: T201  the figures
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
        town.wait_for(lambda: town.telegram.conflicts)


@pytest.mark.long
@ON_SQLITE
def test_control_without_grace_handlers_run_twice(town: Changing, town_database: Database) -> None:
    """The accountant sees a handler that was cut off by the change."""
    bot = town.start("no-grace", CHAOS_SECONDS="0.5")
    with Flow(town, rate=50):
        town.wait_for_handled(50)
        bot.send_signal(signal.SIGHUP)
        town.wait_for(lambda: len(town.lives()) == 2)
    town.drain(town_database, seconds=120)
    account = town.account()
    assert account.clean and account.reruns > 0, (account, town.complaints())
