"""The floods: all bots stand side by side and are flooded in turn, many times over.

A shared machine is half as fast again in one second as in the next. So no bot gets a long stretch:
what is compared are floods that came right after each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
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


@dataclass(slots=True)
class Stand:
    """A bot that was started, and the fake Telegram that is its own."""

    server: Server
    bot: Bot
    sent: int = 0

    def offer(self, phase: Phase) -> Phase:
        """Give out the updates of a phase, whether or not all are answered."""
        self.sent += phase.count
        return self.server.play(phase, alive=lambda: self.bot.alive)

    def play(self, count: int) -> Phase:
        """Give out so many updates at once. Raises RuntimeError when not all are answered once."""
        phase = self.offer(Phase(count))
        if len(phase.replied) < count or phase.doubled:
            log = (self.bot.folder / "log").read_text()[-2000:]
            raise RuntimeError(
                f"{self.bot.name}: {len(phase.replied)} of {count} answered,"
                f" {phase.doubled} twice\n{log}"
            )
        return phase

    def flood(self, count: int) -> Flood:
        """The same, measured."""
        before = self.bot.cpu()
        phase = self.play(count)
        self.server.idle(0.3)  # what is left to write belongs to it
        cpu_ms = (self.bot.cpu() - before) / count * 1000
        return Flood(count / phase.seconds, cpu_ms, phase.busy)

    def check(self) -> None:
        """Everything was on: the tables have each update as done, as counted and as an event."""
        kept = self.bot.kept()
        if wrong := {name: number for name, number in kept.items() if number != self.sent}:
            raise RuntimeError(f"{self.bot.name}: of {self.sent} updates the tables have {wrong}")


@contextmanager
def standing(name: str, chats: int) -> Iterator[Stand]:
    """A bot for the block; after a block that went well it must have kept everything."""
    with closing(Server(chats)) as server, closing(Bot(name, server.port)) as bot:
        stand = Stand(server, bot)
        yield stand
        bot.stop()
        stand.check()


def run(names: Sequence[str], *, turns: int, updates: int, chats: int) -> dict[str, list[Flood]]:
    """Flood each bot once a turn, in an order that goes round; what came of it, by bot."""
    floods: dict[str, list[Flood]] = {name: [] for name in names}
    with ExitStack() as stack:
        stands = {name: stack.enter_context(standing(name, chats)) for name in names}
        for stand in stands.values():
            stand.play(1)
            stand.play(chats)
            stand.bot.pin_database()
        for turn in range(turns):
            for place in range(len(names)):
                for stand in stands.values():
                    stand.server.idle(0.05)  # polls that were not answered in the meantime
                name = names[(turn + place) % len(names)]
                floods[name].append(stands[name].flood(updates))
                print(f"turn {turn + 1}: {name}: {floods[name][-1].speed:,.0f}/s", flush=True)
    return floods
