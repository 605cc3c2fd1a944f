"""The correspondence: people write to a bot process, and every answer is accounted for."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

from database import bind, open_database
from tests.chaos.letters.letters import WAYS, letters
from tests.chaos.post_office import PostOffice
from tests.chaos.postmarks import Balance, balance
from tests.chaos.town import HERE, Town, kill, waiting
from tests.ports import free_port


class Correspondence:
    """A bot process that keeps a post office's limits, and what it is to send there."""

    def __init__(self, folder: Path, office: PostOffice, **environ: str) -> None:
        url, self._port = f"sqlite:///{folder / 'bot.db'}", free_port()
        rates = office.clerk.limits
        settings = {
            "TELEGRAM_API_URL": office.url,
            "PLUGINS_PATH": str(HERE / "letters"),
            "METRICS_PORT": str(self._port),
            "SEND_RATE": str(rates.rate),
            "SEND_RATE_CHAT": str(rates.chat),
            "SEND_RATE_GROUP": str(rates.group),
        }
        self.office = office
        self.town = Town(folder, url, **{**settings, **environ})
        self.database = bind(open_database(url))

    def answer(
        self, counts: Mapping[int, int], control: str = "", *, seconds: float = 60
    ) -> Balance:
        """Let each chat write so many times, in every way; account for the answers."""
        self.town.make_tables(self.database)
        bot = self.town.start(*([control] if control else []))
        expected: dict[int, list[str]] = {chat: [] for chat in counts}
        for number in range(max(counts.values())):
            for chat in [chat for chat, count in counts.items() if number < count]:
                way = WAYS[(number + chat) % len(WAYS)]
                self.office.write(chat, f"/{way} {number}")
                expected[chat] += letters(way, str(number))
        self._drain(seconds)
        counted = self._counted("bot_sends_ambiguous_total")
        kill(bot)
        return balance(expected, self.office.clerk, counted)

    def close(self) -> None:
        """Leave nothing running."""
        self.town.close()
        self.database.close_all()

    def _drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.office.unconfirmed() or waiting(self.database):
            assert time.monotonic() < deadline, self.town.complaints()
            time.sleep(0.05)

    def _counted(self, name: str) -> float:
        with urlopen(f"http://127.0.0.1:{self._port}/metrics") as page:
            values = re.findall(rf"^{name}{{.*}} (\S+)$", page.read().decode(), re.MULTILINE)
        return sum(map(float, values))
