"""A city: a town where several processes of one bot run, and Telegram knows which one called."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Answer, File
from tests.chaos.figures import tell
from tests.chaos.town import HERE, Crowd, Town
from tests.ports import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Bot: TypeAlias = "subprocess.Popen[bytes]"


@dataclass(eq=False, slots=True)
class Deed:
    """One call of a process: what, when, and how it was answered; 0 while it is not."""

    pid: int
    method: str
    begun: float
    ended: float = float("inf")
    status: int = 0


class Witness(Crowd):
    """Telegram that writes down which process called what, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.deeds: list[Deed] = []
        self.answered: list[tuple[int, str, float]] = []
        """Chat, text and moment of every message that the bot sent."""
        self._caller = threading.local()

    def door(self, pid: list[int]) -> WSGIApplication:
        """The application for one process, whose number is in the list by the first call."""
        app = make_app(self)

        def enter(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            self._caller.pid = pid
            return app(environ, start)

        return enter

    def call(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, File] | None = None,
    ) -> Answer:
        pid = getattr(self._caller, "pid", None) or [0]
        deed = Deed(pid[0], method, time.monotonic())
        self.deeds.append(deed)
        if method == "sendMessage":
            self.answered.append((int(params["chat_id"]), str(params["text"]), deed.begun))
        answer = super().call(token, method, params, files)
        deed.status, deed.ended = answer.status, time.monotonic()
        return answer

    def by(self, pid: int, *, since: float = 0.0) -> list[Deed]:
        """What a process asked for from a moment on."""
        return [deed for deed in list(self.deeds) if deed.pid == pid and deed.begun >= since]


class Writer:
    """A crowd that writes numbers to the bot, at an even pace, until it is stopped."""

    def __init__(
        self, city: Town, rate: float, *, chats: Iterable[int] = range(7001, 7051)
    ) -> None:
        self.sent: Counter[int] = Counter()
        self.written: dict[tuple[int, int], float] = {}
        """When each chat wrote each number."""
        self._telegram = city.telegram
        self._chats = list(chats)
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, count: int) -> None:
        """Write so many at once."""
        for _ in range(count):
            chat = self._chats[self.sent.total() % len(self._chats)]
            self.written[chat, self.sent[chat]] = time.monotonic()
            self._telegram.write(chat, self.sent[chat])
            self.sent[chat] += 1

    def stop_after(self, seconds: float) -> None:
        """Write no more than so long."""
        time.sleep(seconds)
        self.stop()

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.wait(0.02):
            self.write(int((time.monotonic() - started) * self._rate) - self.sent.total())


class City(Town):
    """Several processes of one bot at one database, each with a door of its own to Telegram."""

    telegram: Witness
    witness = Witness

    def __init__(self, folder: Path, database_url: str, **environ: str) -> None:
        plugins = {"PLUGINS_PATH": str(HERE / "misfits")}
        super().__init__(folder, database_url, **{**plugins, **environ})
        self.telegram = self.witness()
        self._doors: list[Any] = []
        self._metrics: dict[int, str] = {}

    def start(self, *control: str, **environ: Any) -> Bot:
        """Start one more process; `control` names guarantees to switch off."""
        pid: list[int] = []
        door = open_server(self.telegram.door(pid), 0)
        threading.Thread(target=door.serve_forever, args=(0.1,), daemon=True).start()
        self._doors.append(door)
        port = str(free_port())
        own = {"TELEGRAM_API_URL": f"http://127.0.0.1:{door.port}", "METRICS_PORT": port}
        with self.log.open("ab") as log:
            bot = subprocess.Popen(
                [sys.executable, str(HERE / "run_citizen.py"), *control],
                cwd=self._folder,
                env={**self._environ, **own, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        pid.append(bot.pid)
        self._bots.append(bot)
        self._metrics[bot.pid] = f"http://127.0.0.1:{port}/metrics"
        return bot

    def keep_metrics(self) -> None:
        """Write down what each process that runs counts."""
        for pid, address in self._metrics.items():
            self._keep_metrics(address, f"metrics-{pid}")

    def metric(self, bot: Bot, name: str) -> float | None:
        """A number that a process tells; None while it does not answer."""
        try:
            with urllib.request.urlopen(self._metrics[bot.pid], timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return None
        found = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name]
        return float(found[0]) if found else None

    def until(self, condition: Callable[[], object], *, seconds: float = 30.0) -> float:
        """Wait until something holds; the seconds that it took. Raises AssertionError."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, self.complaints()
            time.sleep(0.02)
        return time.monotonic() - started

    def tell(self, said: str) -> None:
        """Keep a figure of the run, in the file that CHAOS_REPORT names."""
        tell(said)

    def stands_by(self, bot: Bot) -> bool:
        """Whether a process is up and does not poll."""
        return self.metric(bot, "bot_poller_leader") == 0

    def close(self) -> None:
        """Kill what still runs, and close the doors."""
        super().close()
        for door in self._doors:
            door.shutdown()
            door.server_close()
