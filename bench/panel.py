"""Measure the panel on a big database: `python -m bench.panel --database URL`.

gunicorn serves it with two workers, and two clients ask every page in turn, a few times a round.
Beside each page stand its own SQL, asked alone, and an empty Flask page on the same gunicorn.
Fill the database with `python -m bench.crowd`.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from bench import page
from bench.asks import EXPORTS, Ask, asks
from bench.desk import COOKIE, Desk, Peer, Statement, heard, open_app, seconds, sign_in
from database import bind, db, now, open_database
from models import AnalyticsEvent, User

CLIENTS = 2
FORM = "application/x-www-form-urlencoded"
MEDIAN, P95 = 60.0, 150.0
"""Milliseconds that a page may take."""


@dataclass(slots=True)
class Times:
    """What one address took: milliseconds of each request, and CPU time of all together."""

    ask: Ask
    sql: list[Statement]
    took: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """The same, of its SQL without the panel."""
    panel_cpu: float = 0.0
    database_cpu: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.took)

    @property
    def p95(self) -> float:
        return sorted(self.took)[int(len(self.took) * 0.95)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it down."""
    options = parser().parse_args(arguments)
    database = bind(open_database(options.database))
    with database.connection_context():
        token = sign_in()
    app, wanted = open_app(), options.only.lower()
    chosen = [each for each in asks(app, now().date()) if wanted in each.label.lower()]
    times = [Times(each, heard(app, each.path, token)) for each in chosen]
    with Desk(options.database) as desk, Peer(options.database) as peer:
        bare = Times(Ask("an empty Flask page", "/"), [])
        gc.disable()
        for number in range(options.rounds):
            play(bare, peer, token, options.burst)
            for each in times:
                play(each, desk, token, options.burst)
                with database.connection_context():
                    each.alone += ask_alone(each.sql, options.burst)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        grown = [grow(desk, token, path) for path in EXPORTS] if not options.only else []
    with database.connection_context():
        text = "\n".join([about(options), "", *table([bare, *times]), "", *grown])
    print(text)
    if options.write and not options.only:
        page.write("panel", text)
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser("python -m bench.panel", description=__doc__)
    parser.add_argument("--database", required=True, help="the URL of a database with a crowd")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--burst", type=int, default=3, help="requests of each client in a round")
    parser.add_argument("--only", default="", help="a part of a label; writes nothing down")
    parser.add_argument("--no-write", dest="write", action="store_false")
    return parser


def play(times: Times, server: Desk | Peer, token: str, burst: int) -> None:
    """Let every client ask for the page a few times at once."""
    panel, database = server.cpu(), database_cpu()
    threads = [
        threading.Thread(target=_ask, args=(times, server.port, token, burst))
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.panel_cpu += server.cpu() - panel
    times.database_cpu += database_cpu() - database


def _ask(times: Times, port: int, token: str, burst: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(burst):
        began = time.perf_counter()
        client.request("GET", times.ask.path, headers={"Cookie": f"{COOKIE}={token}"})
        answer = client.getresponse()
        answer.read()
        times.took.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            raise RuntimeError(f"{times.ask.path} answered {answer.status}")
    client.close()


def ask_alone(sql: list[Statement], burst: int) -> Iterator[float]:
    """Ask the database what the page asks it, and give the milliseconds."""
    for _ in range(burst):
        began = time.perf_counter()
        for text, values in sql:
            db.execute_sql(text, values).fetchall()
        yield 1000 * (time.perf_counter() - began)


def database_cpu() -> float:
    """Seconds that the processes of PostgreSQL on this machine have used; 0 for SQLite."""
    if db.obj.local:
        return 0.0
    with db.connection_context():
        sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        pids = [pid for (pid,) in db.execute_sql(sql).fetchall()]
    return sum(map(seconds, pids))


@contextmanager
def watching(look: Callable[[], float]) -> Iterator[list[float]]:
    """What something was in the meantime, many times a second."""
    seen, over = [look()], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            seen.append(look())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def grow(desk: Desk, token: str, path: str) -> str:
    """Fetch a whole export and tell how much more memory the workers had meanwhile."""
    client = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=600)
    form, cookie = _form(client, token)
    began, size = time.monotonic(), 0
    with watching(desk.memory) as seen:
        client.request("POST", path, body=form, headers={"Cookie": cookie, "Content-Type": FORM})
        answer = client.getresponse()
        while part := answer.read(65536):
            size += len(part)
    client.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}")
    return (
        f"`{path}`: {size / 2**20:.0f} MiB in {time.monotonic() - began:.0f} s; the workers' memory"
        f" grew by {max(seen) - seen[0]:.0f} MiB at most."
    )


def _form(client: http.client.HTTPConnection, token: str) -> tuple[str, str]:
    """What a form of the list sends: its body, and the cookies."""
    client.request("GET", "/users/", headers={"Cookie": f"{COOKIE}={token}"})
    answer = client.getresponse()
    found = re.search(r'name="csrf[_-]token" (?:value|content)="([^"]+)"', answer.read().decode())
    assert found
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    return urlencode({"csrf_token": found[1]}), f"{COOKIE}={token}; {cookie}"


def about(options: argparse.Namespace) -> str:
    """Where and how it was measured."""
    users, events = User.select().count(), AnalyticsEvent.select().count()
    engine = "SQLite" if db.obj.local else "PostgreSQL"
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {engine}, {users:,} people,"
        f" {events:,} events, 2 workers, {CLIENTS} clients, {os.cpu_count()} cores shared with"
        f" clients, database and other work (load {os.getloadavg()[0]:.1f}),"
        f" {options.rounds * options.burst * CLIENTS} requests a page."
    )


def table(times: Sequence[Times]) -> list[str]:
    """One line a page; what is too slow is marked."""
    lines = [
        "| page | median ms | p95 ms | SQL alone | statements | CPU ms: panel | database |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for each in times:
        slow = " (!)" if each.median >= MEDIAN or each.p95 >= P95 else ""
        alone = f"{statistics.median(each.alone):.1f}" if each.alone else "-"
        count = len(each.took)
        lines.append(
            f"| {each.ask.label}{slow} | {each.median:.1f} | {each.p95:.1f} | {alone} |"
            f" {len(each.sql) or '-'} | {1000 * each.panel_cpu / count:.1f} |"
            f" {1000 * each.database_cpu / count:.1f} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
