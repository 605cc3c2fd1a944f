"""Who watches a bot: Prometheus, a reader of its log, Sentry, a collector; well, gone, hanging.

Those who are well are processes of their own, as they take time that is not the bot's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from tests.bot.silent import silent
from tests.ports import free_port

SINK = Path(__file__).parent / "sink.py"
SCRAPE = "while sleep 5; do curl --silent --output /dev/null {url}; done"
HANGING = 20
"""Connections to the metrics that ask and do not read."""


@dataclass
class Watch:
    """What a bot is to be started with, and what looks at its metrics once it is there."""

    environ: dict[str, str]
    output: int
    looks: Callable[[str], AbstractContextManager[None]]
    posts: Callable[[], list[str]] = field(default=list)
    """The paths to which it sent something, where somebody takes it."""


State = Callable[[], AbstractContextManager[Watch]]


@contextmanager
def well() -> Iterator[Watch]:
    """All are there, and take what comes."""
    reader, writer = os.pipe()
    reading = subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL)
    os.close(reader)
    try:
        with sink() as port:

            def posts() -> list[str]:
                with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    return list(json.load(answer))

            yield Watch(_environ(port), writer, _scraping, posts)
    finally:
        os.close(writer)
        reading.kill()
        reading.wait()


@contextmanager
def sink() -> Iterator[int]:
    """The port of a collector and a Sentry that take what comes."""
    process = subprocess.Popen([sys.executable, SINK], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def gone() -> Iterator[Watch]:
    """Nobody listens, asks or reads: the log's pipe is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield Watch(_environ(free_port()), writer, lambda _url: nullcontext())
    finally:
        os.close(writer)


@contextmanager
def hanging() -> Iterator[Watch]:
    """Who is sent something does not answer, who asks does not read, and the log's pipe is full."""
    reader, writer = os.pipe()
    try:
        with silent() as port:
            yield Watch(_environ(port), writer, _stuck)
    finally:
        os.close(writer)
        os.close(reader)


def _environ(port: int) -> dict[str, str]:
    return {
        "SENTRY_DSN": f"http://0123456789abcdef@127.0.0.1:{port}/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    }


@contextmanager
def _scraping(url: str) -> Iterator[None]:
    """Somebody reads the metrics, again and again."""
    scraper = subprocess.Popen(["sh", "-c", SCRAPE.format(url=url)], start_new_session=True)
    try:
        yield
    finally:
        os.killpg(scraper.pid, 9)
        scraper.wait()


@contextmanager
def _stuck(url: str) -> Iterator[None]:
    """Some ask for the metrics and read nothing, others do not finish asking."""
    host, _, port = url.removeprefix("http://").removesuffix("/metrics").partition(":")
    with ExitStack() as stack:
        for number in range(HANGING):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect((host, int(port)))
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"\r\n" * (number % 2))
        yield
