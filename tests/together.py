"""What tests of threads and of errors share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest


def run_together(*works: Callable[[], object]) -> None:
    """Run each work in a thread of its own; raises what any of them raises."""
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result(timeout=30)


def failure(work: Callable[[], object]) -> BaseException:
    """The error that work raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  any error, to be judged
        work()
    return caught.value
