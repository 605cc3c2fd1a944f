"""A town to try the bot in: Telegram behind a socket, a crowd that writes, a hand that kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from peewee import fn

from database import Database
from models import AnalyticsEvent, EventType, User
from sandbox.answers import Json
from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Answer, File, Telegram
from services import migrations
from settings import SANDBOX_TOKEN
from tests.chaos.accountant import Account, balance
from tests.ports import free_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BOT_ID = int(SANDBOX_TOKEN.partition(":")[0])


class Crowd(Telegram):
    """Telegram with more people than the sandbox has: whatever is sent arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[tuple[int, str]] = []
        self.delivered: Counter[tuple[int, int]] = Counter()
        """How often each numbered message, by chat and number, was given to the bot."""
        self.again: list[Json] = []
        """What the next getUpdates delivers once more, before the rest."""
        self.sent: list[Json] = []
        """Every update that the crowd wrote."""
        self.conflicts = 0
        """How many polls were ended by another one, also those whose bot was gone."""
        self.on_send: Callable[[], object] = int
        """Called when a message was carried out and its answer is not on its way."""

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        if method == "getUpdates":
            return self._deliver(super().call(token, method, params, files))
        if method != "sendMessage":
            return super().call(token, method, params, files)
        chat = int(params["chat_id"])
        self.replies.append((chat, str(params["text"])))
        self.on_send()
        message = {"message_id": 1, "date": 1, "chat": {"id": chat, "type": "private"}}
        return Answer(200, {"ok": True, "result": {**message, "text": params["text"]}})

    def write(self, chat: int, number: int, text: str = "") -> None:
        """Somebody writes a number, or another text, to the bot."""
        person = {"id": chat, "is_bot": False, "first_name": f"P{chat}"}
        home = {"id": chat, "type": "private", "first_name": f"P{chat}"}
        facts = {"message_id": number + 1, "date": int(time.time()), "text": text or str(number)}
        message = {**facts, "from": person, "chat": home}
        update_id = self.push(BOT_ID, {"message": message})
        self.sent.append({"update_id": update_id, "message": message})

    def pending(self) -> int:
        """How many updates are not confirmed."""
        answer = super().call(SANDBOX_TOKEN, "getWebhookInfo", {})
        return int(answer.body["result"]["pending_update_count"])

    def answers(self) -> list[tuple[int, int]]:
        """Chat and number of every answer to a numbered message."""
        said = ((chat, text.removeprefix("got ")) for chat, text in self.replies)
        return [(chat, int(number)) for chat, number in said if number.isdecimal()]

    def _deliver(self, answer: Answer) -> Answer:
        """Give the updates out, first those that come again, and count each."""
        self.conflicts += answer.status == 409
        updates = answer.body.get("result")
        if not isinstance(updates, list):
            return answer
        again, self.again = self.again, []
        for update in [*again, *updates]:
            message = update.get("message") or {}
            if (text := str(message.get("text"))).isdecimal():
                self.delivered[message["chat"]["id"], int(text)] += 1
        return Answer(200, {"ok": True, "result": [*again, *updates]})


class Town:
    """One run: a Telegram, a database, and a bot that is started and killed at will."""

    def __init__(self, folder: Path, database_url: str, **environ: str) -> None:
        self.telegram = Crowd()
        self.journal = folder / "journal"
        self.log = folder / "bot.log"
        self._server = open_server(make_app(self.telegram), 0)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        self._bots: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self._read = self._ended = 0
        self._handled: set[str] = set()
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "TELEGRAM_API_URL": f"http://127.0.0.1:{self._server.port}",
            "TELEGRAM_BOT_TOKEN": SANDBOX_TOKEN,
            "PLUGINS_PATH": str(HERE / "plugins"),
            "CHAOS_JOURNAL": str(self.journal),
            "METRICS_PORT": str(free_port()),
            "THROTTLE_RATE": "0",
            "SEND_RATE": "0",
            "SEND_RATE_CHAT": "0",
            "SEND_RATE_GROUP": "0",
            **environ,
        }

    def make_tables(self, database: Database) -> None:
        """Migrate, without the time that a process needs to start."""
        migrations.migrate(database, [migrations.core()])

    def start(
        self, *control: str, under: Sequence[str] = (), **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a bot; `control` names a guarantee to switch off, `under` a program to run it."""
        with self.log.open("ab") as log:
            bot = subprocess.Popen(
                [*under, sys.executable, str(HERE / "run_bot.py"), *control],
                cwd=self._folder,
                env={**self._environ, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._bots.append(bot)
        return bot

    def run(self, *verb: str) -> str:
        """Run a verb of the command line to its end, and give what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *verb],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def handled(self) -> int:
        """How many updates were handled so far, each counted once."""
        if self.journal.exists():
            with self.journal.open("rb") as journal:
                journal.seek(self._read)
                text = journal.read()
            whole = text[: text.rfind(b"\n") + 1]  # the last line may just be written
            self._read += len(whole)
            ended = [line for line in whole.decode().splitlines() if line.startswith("end")]
            self._ended += len(ended)
            self._handled |= {line.split(" ", 2)[2] for line in ended}
        return len(self._handled)

    def wait_for_work(self, *, seconds: float = 20.0) -> float:
        """Wait until something more is handled, again or not; give the seconds that it took."""
        self.handled()
        before, since = self._ended, time.monotonic()
        while self._ended == before:
            assert time.monotonic() - since < seconds, self.log.read_text()[-4000:]
            time.sleep(0.005)
            self.handled()
        return time.monotonic() - since

    def note_kept(self, database: Database) -> None:
        """Write into the journal, for a bot that is dead, what it had committed of each chat."""
        sql = "SELECT lane, COUNT(*) FROM inbox WHERE state = 'done' GROUP BY lane"
        rows = database.execute_sql(sql).fetchall()
        with self.journal.open("a") as journal:
            journal.write("".join(f"kept - {chat} {count}\n" for chat, count in rows))

    def wait_for_handled(self, count: int, *, seconds: float = 30.0) -> None:
        """Wait until so many are handled. Raises AssertionError with the bot's log."""
        deadline = time.monotonic() + seconds
        while self.handled() < count:
            assert self._bots[-1].poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.01)

    def dies(self, bot: subprocess.Popen[bytes], database: Database) -> bool:
        """Whether a bot dies before everything is handled."""
        while bot.poll() is None:
            if not self.telegram.pending() and not waiting(database):
                return False
            time.sleep(0.02)
        return True

    def waits(self) -> int:
        """How often the bot ran an update once more, as its log says: after an outage."""
        return self.log.read_text().count(" waits: ")

    def complaints(self) -> str:
        """What the bot logged beside its ordinary lines."""
        lines = self.log.read_text().splitlines()
        return "\n".join(line for line in lines if '"level":"info"' not in line)[-6000:]

    def drain(self, database: Database, *, seconds: float = 40.0, quiet: float = 0.0) -> None:
        """Wait until nothing waits any more, neither at Telegram nor in the inbox.

        A control that keeps its updates elsewhere is to be `quiet` for some seconds.
        """
        since = time.monotonic()
        deadline = since + seconds
        while self.telegram.pending() or waiting(database) or time.monotonic() < since + quiet:
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.02)

    def account(self) -> Account:
        """The balance of everything that was written to the bot."""
        sent = Counter(
            update["message"]["chat"]["id"]
            for update in self.telegram.sent
            if update["message"]["text"].isdecimal()
        )
        noted: Any = (
            User.select(User.telegram_id, fn.COUNT(AnalyticsEvent.id))
            .join(AnalyticsEvent)
            .where(AnalyticsEvent.event_type == EventType.MESSAGE, User.telegram_id.in_(list(sent)))
            .group_by(User.telegram_id)
        )
        counted: Any = User.select(User.telegram_id, User.total_messages)
        return balance(
            sent,
            self.journal,
            dict(counted.where(User.telegram_id.in_(list(sent))).tuples()),
            events=dict(noted.tuples()),
            replies=self.telegram.answers(),
            delivered=self.telegram.delivered,
        )

    def keep_metrics(self) -> None:
        """Write down what the bot that runs counts, to be searched with everything else."""
        self._keep_metrics(f"http://127.0.0.1:{self._environ['METRICS_PORT']}/metrics", "metrics")

    def _keep_metrics(self, address: str, name: str) -> None:
        with suppress(OSError), urlopen(address, timeout=5) as answer:
            (self._folder / name).write_bytes(answer.read())

    def close(self) -> None:
        """Kill what still runs."""
        self.keep_metrics()
        for bot in self._bots:
            with suppress(ProcessLookupError):
                bot.kill()
            bot.wait()
        self._server.shutdown()
        self._server.server_close()


def waiting(database: Database) -> int:
    """How many updates are open in the inbox."""
    sql = "SELECT COUNT(*) FROM inbox WHERE done_at IS NULL"
    return int(database.execute_sql(sql).fetchone()[0])


def kill(bot: subprocess.Popen[bytes]) -> None:
    """End a process with no chance to do anything."""
    bot.send_signal(signal.SIGKILL)
    bot.wait()


def shuffled(updates: int, chats: int, seed: int) -> list[tuple[int, int]]:
    """(chat, number) pairs: in each chat the numbers from 0 on, the chats at random."""
    dice = random.Random(seed)
    counts = dict.fromkeys(range(5001, 5001 + chats), 0)
    order = []
    for _ in range(updates):
        chat = dice.choice(sorted(counts))
        order.append((chat, counts[chat]))
        counts[chat] += 1
    return order
