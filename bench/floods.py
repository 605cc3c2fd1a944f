"""The floods: all bots stand side by side and are flooded in turn, many times over.

A shared machine is half as fast again in one second as in the next. So no bot gets a long stretch:
what is compared are floods that came right after each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.bots import Bot
from bench.server import Phase, Server


@dataclass(frozen=True, slots=True)
class Flood:
    """What became of one flood."""

    speed: float
    """Updates a second, to the last reply."""
    cpu_ms: float
    """CPU time of the bot's process an update, with what it wrote after the last reply."""
    busy: float
    """The share of its core that the server needed."""


class Stand:
    """A bot that was started and warmed up, and the fake Telegram that is its own."""

    def __init__(self, name: str, chats: int) -> None:
        self.server = Server(chats)
        self.bot = Bot(name, self.server.port)
        self.sent = 0
        for count in (1, chats):
            self.play(count)
        self.bot.pin_database()

    def play(self, count: int) -> Phase:
        """Give out so many updates at once. Raises RuntimeError when not all are answered once."""
        phase = self.server.play(Phase(count), alive=lambda: self.bot.alive)
        self.sent += count
        complain(self.bot, phase)
        return phase

    def flood(self, count: int) -> Flood:
        """The same, measured."""
        before = self.bot.cpu()
        phase = self.play(count)
        self.server.idle(0.3)  # what is left to write belongs to it
        cpu_ms = (self.bot.cpu() - before) / count * 1000
        return Flood(count / phase.seconds, cpu_ms, phase.busy)

    def close(self) -> None:
        """End the bot, see that it kept everything, and leave nothing behind."""
        try:
            self.bot.stop()
            check(self.bot, self.sent)
        finally:
            self.bot.close()
            self.server.close()


def run(names: Sequence[str], *, turns: int, updates: int, chats: int) -> dict[str, list[Flood]]:
    """Flood each bot once a turn, in an order that goes round; what came of it, by bot."""
    stands: dict[str, Stand] = {}
    floods: dict[str, list[Flood]] = {name: [] for name in names}
    try:
        for name in names:
            stands[name] = Stand(name, chats)
        for turn in range(turns):
            for place in range(len(names)):
                for stand in stands.values():
                    stand.server.idle(0.05)  # polls that were not answered in the meantime
                name = names[(turn + place) % len(names)]
                floods[name].append(stands[name].flood(updates))
                print(f"turn {turn + 1}: {name}: {floods[name][-1].speed:,.0f}/s", flush=True)
    finally:
        for stand in stands.values():
            stand.close()
    return floods


def complain(bot: Bot, phase: Phase) -> None:
    """Raise RuntimeError with the end of the log when updates were answered twice or not at all."""
    if len(phase.replied) < phase.count or phase.doubled:
        log = (bot.folder / "log").read_text()[-2000:]
        raise RuntimeError(
            f"{bot.name}: {len(phase.replied)} of {phase.count} answered,"
            f" {phase.doubled} twice\n{log}"
        )


def check(bot: Bot, count: int) -> None:
    """Everything was on: each update is in the tables as done, as counted and as an event."""
    kept = bot.kept()
    if wrong := {name: number for name, number in kept.items() if number != count}:
        raise RuntimeError(f"{bot.name}: of {count} updates the tables have {wrong}")
