"""The panel under gunicorn: how it starts, what it logs and counts, how it reloads and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from admin.folder import PREFIX, VARIABLE, make_folder, memory, remove_folder
from admin.metering import Sum
from bot.serve import check
from database import bind, open_database
from services import migrations
from settings import Settings, SettingsError
from tests.admin.serving import READY, Served, is_alive, kill


def migrated(url: str) -> str:
    """The address of a database, now with tables."""
    database = bind(open_database(url))
    migrations.migrate(database, [migrations.core()])
    database.close_all()
    return url


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A panel that answers."""
    with Served(tmp_path, migrated(f"sqlite:///{tmp_path / 'test.db'}")) as served:
        yield served


def end(served: Served) -> tuple[int, str]:
    """Wait for an end that comes by itself: its code, and what was said."""
    return served.begin().wait(30), served.log.read_text()


def test_the_whole_of_it(served: Served) -> None:
    """Logs are JSON, counts name no visitor's word, and the end is clean and quick."""
    assert served.get("/healthz").text == "ok\n"
    for number in range(20):
        assert served.get(f"/invented/{number}?secret={number}").status == 404
    assert served.ask("INVENTED", "/secret").status == 400
    assert served.ask("POST", "/nothing").status in (400, 404)
    asked = socket.create_connection(("127.0.0.1", served.port))
    asked.sendall(b"GET /secret-path\r\n\r\nnonsense")
    asked.recv(1000)
    asked.close()
    counts = served.counts()
    unknown = 'panel_http_request_duration_seconds_count{method="GET",status="404",url_rule="None"}'
    assert counts[unknown] == 20
    assert not [name for name in counts if "invented" in name.lower() or "secret" in name]
    assert len([name for name in counts if "404" in name and "GET" in name]) < 20
    served.process.terminate()
    assert served.process.wait(10) == 0
    lines = served.lines()
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "admin.gunicorn"}
    assert "secret" not in served.log.read_text() and "nonsense" not in served.log.read_text()
    assert len(served.lines("panel_request")) >= 21


def test_probes_are_not_counted(served: Served) -> None:
    """A bot that is gone makes /readyz a 503 every few seconds: the panel does not fail by that."""
    assert served.get("/healthz").status == 200
    assert served.get("/readyz").status == 503
    assert served.get("/readyz/more").status == 404
    assert served.get("/login").status == 200
    counts = served.counts()
    totals = {name: n for name, n in counts.items() if name.startswith("panel_http_request_total")}
    assert totals == {
        'panel_http_request_total{method="GET",status="200"}': 1,
        'panel_http_request_total{method="GET",status="404"}': 1,
    }
    assert not [name for name in counts if "healthz" in name or "readyz" in name or "503" in name]


def test_nothing_is_left_behind(served: Served) -> None:
    """The folder of the counts is in memory, of this start alone, and goes with it."""
    served.get("/login")
    workers = served.workers()
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in workers]
    folder = {Path(word).parent for word in " ".join(maps).split() if PREFIX in word}.pop()
    assert folder.parent == memory() and VARIABLE not in os.environ
    served.process.terminate()
    served.process.wait(10)
    assert not folder.exists() and not any(map(is_alive, workers))


def test_the_master_is_killed_and_its_workers_end(served: Served) -> None:
    """Nobody is left who holds the ports: the next start has them at once."""
    workers = served.workers()
    kill(served.process.pid)
    served.process.wait()
    served.wait_for(lambda: not any(map(is_alive, workers)), seconds=5)
    served.start()
    assert served.get("/login").status == 200 and served.counts()


def test_a_request_that_is_on_its_way_is_answered_at_the_end(served: Served) -> None:
    """SIGTERM lets it arrive; then everything ends, well before anybody would be killed."""
    half = socket.create_connection(("127.0.0.1", served.port))
    half.sendall(b"GET /login HTTP/1.1\r\nHost: panel\r\n")
    idle = socket.create_connection(("127.0.0.1", served.port))
    assert served.get("/healthz").status == 200
    time.sleep(0.1)
    served.process.terminate()
    served.wait_for(lambda: '"Handling signal: term"' in served.log.read_text())
    half.sendall(b"\r\n")
    assert half.recv(1000).startswith(b"HTTP/1.1 200")
    half.close()
    since = time.monotonic()
    assert served.process.wait(10) == 0 and time.monotonic() - since < 6
    idle.close()


def test_a_reload_takes_plugins_anew_and_a_broken_start_is_left(tmp_path: Path) -> None:
    """After a HUP that cannot work the workers stay, and the log says why; then one that can."""
    url = migrated(f"sqlite:///{tmp_path / 'test.db'}")
    with Served(tmp_path, url, "--graceful-timeout", "1") as served:
        old = served.workers()
        change(url, "UPDATE migratehistory SET name = 'unknown' WHERE name = '005_staff'")
        served.process.send_signal(signal.SIGHUP)
        said = "goes on as it was: 1 migrations are pending"
        served.wait_for(lambda: said in served.log.read_text())
        change(url, "UPDATE migratehistory SET name = '005_staff' WHERE name = 'unknown'")
        assert served.get("/healthz").status == 200 and served.workers() == old
        (tmp_path / "plugins" / "broken.py").write_text("1 / 0\n")
        served.process.send_signal(signal.SIGHUP)
        served.wait_for(lambda: served.said(READY) == 4)
        served.wait_for(lambda: not set(old) & set(served.workers()))
        assert "the plugin broken is left out" in served.log.read_text()


def change(url: str, sql: str) -> None:
    """Run a statement."""
    database = bind(open_database(url))
    with database.connection_context():
        database.execute_sql(sql)
    database.close_all()


def test_each_worker_has_connections_of_its_own(postgres_url: str, tmp_path: Path) -> None:
    """No two processes share a socket to the database, and the master has none."""
    with Served(tmp_path, migrated(postgres_url)) as served:
        owners = {pid: sockets(pid, postgres_url) for pid in [served.process.pid]}
        for _ in range(200):
            served.get("/login")
            owners |= {pid: sockets(pid, postgres_url) for pid in served.workers()}
            if sum(map(bool, owners.values())) == 2:
                break
    master, *workers = owners.values()
    assert not master and len(workers) == 2 and not workers[0] & workers[1]
    assert all(workers)


def sockets(pid: int, url: str) -> set[str]:
    """The sockets of a process that lead to the database."""
    port = psycopg2.extensions.parse_dsn(url).get("port", "5432")
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    there = {row[9] for row in rows if row[2].endswith(f":{int(port):04X}")}
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return {link for link in links if link.removeprefix("socket:[").rstrip("]") in there}


def test_it_refuses_tables_of_another_release(tmp_path: Path) -> None:
    """One sentence, and exit code 2."""
    code, said = end(Served(tmp_path, f"sqlite:///{tmp_path / 'test.db'}"))
    assert code == 2 and said.startswith(f"{len(migrations.core().names)} migrations are pending")
    assert said.count("\n") == 1


def test_it_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    """It says so, and ends when it is told to."""
    served = Served(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")
    process = served.begin()
    served.wait_for(lambda: "waiting for the database" in served.log.read_text())
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("environ", [{"ADMIN_THREADS": "none"}, {"ENVIRONMENT": "production"}])
def test_a_setting_that_is_wrong_is_one_sentence(tmp_path: Path, environ: dict[str, str]) -> None:
    """gunicorn names it an error, ends, and shows no traceback."""
    token = {"TELEGRAM_BOT_TOKEN": "1000000001:sandbox_sandbox_sandbox_sandbox_000"}
    code, said = end(Served(tmp_path, f"sqlite:///{tmp_path / 'x.db'}", **environ, **token))
    assert code == 1 and "Traceback" not in said
    assert "ADMIN_THREADS is" in said or "TRUSTED_HOSTS is required" in said


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    """The one of the metrics too."""
    served = Served(tmp_path, migrated(f"sqlite:///{tmp_path / 'test.db'}"))
    with socket.socket() as other:
        other.bind(("0.0.0.0", served.metrics_port))
        other.listen()
        code, said = end(served)
    assert code == 2 and "Traceback" not in said
    assert f"port {served.metrics_port} is taken" in said and "ADMIN_METRICS_PORT" in said


def test_in_production_the_names_of_the_panel_are_required() -> None:
    """With them, or in development, it starts."""
    with pytest.raises(SettingsError, match="TRUSTED_HOSTS is required"):
        check(Settings(environment="production"))
    check(Settings(environment="production", trusted_hosts=("bot.example.org",)))
    check(Settings())


def test_only_this_process_is_told_of_the_folder(tmp_path: Path) -> None:
    """Nothing was counted in it, nobody else may enter it, and it goes."""
    environ: dict[str, str] = {}
    with make_folder(environ, tmp_path):
        folder = Path(environ[VARIABLE])
        assert (folder.stat().st_mode & 0o777, list(folder.glob("*.db"))) == (0o700, [])
        remove_folder(environ)
    assert not folder.exists() and not environ


def test_a_start_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    """But nothing of one that is in use, nor of anybody else."""
    dead, alive = dict[str, str](), dict[str, str]()
    make_folder(dead, tmp_path).close()
    (tmp_path / "else").mkdir()
    with make_folder(alive, tmp_path), make_folder({}, tmp_path):
        assert not Path(dead[VARIABLE]).exists() and Path(alive[VARIABLE]).exists()
        assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_a_killed_worker_did_not_begin_is_passed_over(tmp_path: Path) -> None:
    """One scrape after the other would fail for it."""
    program = (
        "from prometheus_client import Counter, CollectorRegistry\n"
        "Counter('seen', 'Seen.', registry=CollectorRegistry()).inc(3)"
    )
    environ = {**os.environ, VARIABLE: str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True)
    (tmp_path / "counter_1.db").touch()
    (metric,) = Sum(None, path=str(tmp_path)).collect()  # type: ignore[no-untyped-call]
    assert [sample.value for sample in metric.samples] == [3.0]
