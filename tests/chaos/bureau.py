"""The bureau: a client over real sockets, and 32 threads that send through it as lanes do."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry

from bot.client import Client
from bot.limits import Limits
from bot.metrics import Metrics
from bot.wire import CurlWire
from settings import Secret
from tests.chaos.clerk import Limits as Rates
from tests.chaos.post_office import PostOffice
from tests.chaos.postmarks import Balance, balance

log = logging.getLogger(__name__)

TOKEN = Secret("123456789:AAxTokenOfTheBureau_0123456789abcdefg")
THREADS = 32


class Bureau:
    """A client for a post office; `limits` and `client` may be those of a control."""

    def __init__(
        self, office: PostOffice, limits: Limits | None = None, client: type[Client] = Client
    ) -> None:
        self.office = office
        self.metrics = Metrics(CollectorRegistry())
        self.stop = threading.Event()
        self.client = client(
            int(TOKEN.reveal().partition(":")[0]),
            TOKEN,
            CurlWire(office.url),
            limits or paced(office.clerk.limits),
            self.metrics,
            stop=self.stop,
        )
        self._lanes: queue.SimpleQueue[tuple[int, list[str]] | None] = queue.SimpleQueue()

    def send(self, letters: Mapping[int, Sequence[str]], *, seconds: float = 60) -> Balance:
        """Send every chat's letters in their order, the chats side by side; account for all."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]
        left = {chat: list(texts) for chat, texts in letters.items() if texts}
        self._open = len(left)
        for lane in left.items():
            self._lanes.put(lane)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds)
        self.stop.set()
        assert not any(thread.is_alive() for thread in threads), "sending takes too long"
        return balance(letters, self.office.clerk, self.counted("bot_sends_ambiguous_total"))

    def counted(self, name: str) -> float:
        """The sum of a counter over its labels."""
        samples = [s for metric in self.metrics.registry.collect() for s in metric.samples]
        return sum(sample.value for sample in samples if sample.name == name)

    def _work(self) -> None:
        """Take the lane that waits longest, send its next letter, and put it back."""
        while lane := self._lanes.get():
            chat, texts = lane
            try:
                self.client.call("sendMessage", {"chat_id": chat, "text": texts.pop(0)})
            except Exception:
                log.exception("a letter to %s was given up", chat)
            if texts:
                self._lanes.put(lane)
                continue
            self._open -= 1
            if not self._open:
                for _ in range(THREADS):
                    self._lanes.put(None)


def paced(rates: Rates) -> Limits:
    """Limits that keep what a post office takes."""
    return Limits(rates.rate, rates.chat, rates.group)
