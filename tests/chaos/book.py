"""The book: what the tables must say, kept in memory by plain rules."""

from __future__ import annotations

from dataclasses import dataclass, field

OPEN = ("new", "replying")
DEADLY = 2
"""Deaths in its handler without which no update may be set aside."""


@dataclass(slots=True)
class Page:
    """One update: what the inbox says of it, and what the living process has not committed."""

    id: int
    person: int
    word: str
    state: str = "sent"
    """`sent` until the inbox has it, then the inbox's state."""
    held: str = ""
    """The state that its entry will set, begun in this life and not committed."""
    counts: int = 0
    replays: int = 0
    deaths: int = 0
    failures: int = 0


@dataclass(slots=True)
class Book:
    """Every update ever sent; methods say what happened and refuse what must not."""

    pages: dict[int, Page] = field(default_factory=dict)

    @property
    def held(self) -> list[Page]:
        return [page for page in self.pages.values() if page.held]

    def table(self) -> dict[int, str]:
        """The inbox as it must be."""
        return {page.id: page.state for page in self.pages.values() if page.state != "sent"}

    def accept(self, ids: list[int]) -> None:
        """These are new in the inbox: they were sent, never seen before, and are the next."""
        due = [page for page in self.pages.values() if page.state == "sent"][: len(ids)]
        assert [page.id for page in due] == ids, "accepted what was not next"
        for page in due:
            page.state = "new"

    def handle(self, number: int, state: str, found: str, *, ran: bool, mended: bool) -> None:
        """A lane gave an entry that sets `state`; the inbox says `found` of it meanwhile."""
        page = self.pages[number]
        assert page.state != "sent", f"{page} was handled before it was committed"
        assert page.state in OPEN and not page.held, f"{page} was handled again"
        self._in_turn(page)
        if page.state == "replying":
            assert not ran and state == "done", f"{page} had only replies to send"
            page.held = "done"
            return
        if not ran:
            assert (state, page.deaths >= DEADLY) == ("failed", True), f"{page} was skipped"
        else:
            assert state == ("failed" if page.word == "/fail" and not mended else "done"), page
        if page.word == "/note" and ran:
            assert found in ("replying", state), f"{page} did not commit with its handler"
        if found == "new":
            page.held = state if ran else f"{state} unrun"
            return
        self._settle(page, found, ran=ran)
        page.held = state if found == "replying" else ""

    def die(self, number: int) -> None:
        """The process died in a handler."""
        page = self.pages[number]
        assert page.state == "new" and not page.held, f"{page} was handled again"
        self._in_turn(page)
        page.deaths += 1
        self.crash()

    def crash(self) -> None:
        """What was not committed is forgotten."""
        for page in self.held:
            page.held = ""

    def commit(self) -> None:
        """What was held is in the tables."""
        for page in self.held:
            state, _, unrun = page.held.partition(" ")
            self._settle(page, state, ran=not unrun)
            page.held = ""

    def replay(self, number: int) -> None:
        """Somebody put a failed update back."""
        page = self.pages[number]
        assert page.state == "failed", page
        page.state = "queued"
        page.replays += 1

    def claim(self) -> None:
        """The process took over what was put back."""
        for page in self.pages.values():
            if page.state == "queued":
                page.state = "new"

    def _settle(self, page: Page, state: str, *, ran: bool) -> None:
        page.counts += ran and page.state == "new" and not page.counts
        page.failures += state == "failed"
        page.state = state

    def _in_turn(self, page: Page) -> None:
        """Nothing older of the chat is left, but what was put back out of its turn."""
        older = [
            other
            for other in self.pages.values()
            if other.person == page.person and other.id < page.id and not other.replays
        ]
        left = [other for other in older if other.state in OPEN and not other.held]
        assert page.replays or not left, f"{page} came before {left}"
