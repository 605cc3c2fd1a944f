"""The supervisor: writes to the bot, ends it again and again by a seeded plan, and starts it."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from dataclasses import dataclass

from database import Database
from tests.chaos.accountant import Account
from tests.chaos.town import Town, kill, shuffled


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written, and when the bot is killed: all of it follows from the seed."""

    seed: int
    order: list[tuple[int, int]]
    """Chat and number of each message."""
    kills: list[tuple[int, float]]
    """How many are handled by then, and how many seconds are waited beyond."""

    @classmethod
    def draw(cls, seed: int, *, updates: int, chats: int, kills: int) -> Plan:
        """Draw a plan; the kills lie anywhere but in the last tenth, where little is left."""
        dice = random.Random(seed)
        places = sorted(dice.sample(range(1, updates * 9 // 10), kills))
        return cls(
            seed, shuffled(updates, chats, seed), [(at, dice.uniform(0, 0.3)) for at in places]
        )


class Supervisor:
    """Carries a plan out on a town."""

    def __init__(
        self, town: Town, database: Database, *, control: str = "", **environ: str
    ) -> None:
        self.town = town
        self.database = database
        self._options = [control] if control else []
        self._environ = environ
        self._quiet = 1.0 if control == "confirm-first" else 0.0

    def run(self, plan: Plan, *, rate: int = 200) -> Account:
        """Write so many messages a second, kill as planned, drain; give the balance."""
        writer = threading.Thread(target=self.write, args=(plan, rate))
        writer.start()
        bot = self.start()
        for handled, seconds in plan.kills:
            self.town.wait_for_handled(handled, seconds=120)
            time.sleep(seconds)
            kill(bot)
            self.town.note_kept(self.database)
            bot = self.start()
        writer.join()
        self.town.drain(self.database, seconds=120, quiet=self._quiet)
        kill(bot)
        return self.town.account()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the bot, whole or as a control."""
        return self.town.start(*self._options, **self._environ)

    def write(self, plan: Plan, rate: int) -> None:
        """Write what the plan says, so many messages a second."""
        since = time.monotonic()
        for place, (chat, number) in enumerate(plan.order):
            self.town.telegram.write(chat, number)
            time.sleep(max(0.0, since + place / rate - time.monotonic()))
