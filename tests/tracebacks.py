"""Tracebacks with their locals: what an error report with everything in it would show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OURS = ("tests", "sandbox", "bench")
"""What knows tokens because it is the other side."""
LONGEST = 200_000


def shown(value: object) -> str:
    """A value as a report shows it."""
    try:
        return f"{value!r} {value!s} {getattr(value, '__dict__', '')!r}"[:LONGEST]
    except Exception as error:  # noqa: BLE001  its words may fail; then nothing is shown
        return type(error).__name__


def frames(error: BaseException) -> Iterator[str]:
    """The words of an error and of its causes, and the locals of each frame of the bot."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        yield shown(one)
        yield from _locals(one.__traceback__)


def _locals(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(tuple(str(ROOT / room) for room in OURS)):
            for name, value in trace.tb_frame.f_locals.items():
                yield f"{code.co_filename}:{trace.tb_lineno} {name} = {shown(value)}"
        trace = trace.tb_next


def watch(keep: Callable[[str], object]) -> Callable[[], None]:
    """Show every error that is logged to `keep`, with all locals; gives how to stop that."""
    make = logging.getLogRecordFactory()

    def record(*arguments: Any, **options: Any) -> logging.LogRecord:
        made = make(*arguments, **options)
        if isinstance(made.exc_info, tuple) and made.exc_info[1] is not None:
            for text in frames(made.exc_info[1]):
                keep(text)
        return made

    logging.setLogRecordFactory(record)
    return lambda: logging.setLogRecordFactory(make)


def keep(text: str) -> None:
    """Write it down in the folder of a process, to be searched with everything else."""
    with Path("tracebacks").open("a") as file:
        file.write(f"{text}\n")
