"""Which entities may overlap: links and code stand apart, bold and its like are cut around them."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.spans import CODE, QUOTES, SPLITTABLE, Span, order


def settle(spans: list[Span]) -> list[Span]:
    """The spans that were asked for, made to fit together as Telegram does it."""
    if len(spans) < 2:
        return spans
    spans = order(spans)
    quotes = apart(s for s in spans if s.kind in QUOTES)
    solid = apart(s for s in spans if s.kind not in QUOTES and s.kind not in SPLITTABLE)
    fixed = order([*_outside(solid, quotes), *quotes])
    return _join(fixed, [s for s in spans if s.kind in SPLITTABLE])


def merge(spans: list[Span], found: list[Span]) -> list[Span]:
    """Settled spans with those that Telegram found, which give way to links and code."""
    if not found or not spans:
        return spans or found
    quotes = [s for s in spans if s.kind in QUOTES]
    solid = [s for s in spans if s.kind not in QUOTES and s.kind not in SPLITTABLE]
    free = [s for s in _outside(found, quotes) if not any(overlap(s, other) for other in solid)]
    return _join(order([*solid, *free, *quotes]), [s for s in spans if s.kind in SPLITTABLE])


def apart(spans: Iterable[Span]) -> list[Span]:
    """Ordered spans without those that begin inside an earlier one."""
    kept: list[Span] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def overlap(one: Span, other: Span) -> bool:
    """True when two spans share a character."""
    return one.start < other.end and other.start < one.end


def _outside(spans: list[Span], quotes: list[Span]) -> list[Span]:
    """The spans that are wholly inside or wholly outside of every quote."""

    def crosses(span: Span, quote: Span) -> bool:
        inside = quote.start <= span.start and span.end <= quote.end
        return overlap(span, quote) and not inside

    return [s for s in spans if not any(crosses(s, quote) for quote in quotes)]


def _join(fixed: list[Span], soft: list[Span]) -> list[Span]:
    if not soft:
        return fixed
    return order([*fixed, *_Cutter(soft).cut(fixed)])


class _Cutter:
    """Cuts ordered bold, italic and so on at the edges of other spans; drops them in code."""

    def __init__(self, soft: list[Span]) -> None:
        self._waiting = list(reversed(soft))
        self._open: dict[str, tuple[int, int]] = {}
        self._done: list[Span] = []

    def cut(self, fixed: list[Span]) -> list[Span]:
        """The pieces that are left."""
        inside: list[Span] = []
        for span in fixed:
            self._leave(inside, span.start)
            self._advance(span.start)
            inside.append(span)
        self._leave(inside, None)
        self._advance(None)
        return self._done

    def _leave(self, inside: list[Span], place: int | None) -> None:
        while inside and (place is None or place >= inside[-1].end):
            before = len(self._done)
            self._advance(inside[-1].end)
            if inside.pop().kind in CODE:
                del self._done[before:]

    def _advance(self, place: int | None) -> None:
        while self._waiting and (place is None or self._waiting[-1].start < place):
            span = self._waiting.pop()
            start, end = self._open.get(span.kind, (0, -1))
            if span.start <= end:
                self._open[span.kind] = (start, max(end, span.end))
            else:
                self._flush(span.start)
                self._open[span.kind] = (span.start, span.end)
        self._flush(place)

    def _flush(self, place: int | None) -> None:
        for kind in SPLITTABLE:
            start, end = self._open.get(kind, (0, -1))
            if end < 0 or (place is not None and start >= place):
                continue
            if place is None or end <= place:
                self._done.append(Span(kind, start, end))
                del self._open[kind]
            else:
                self._done.append(Span(kind, start, place))
                self._open[kind] = (place, end)
