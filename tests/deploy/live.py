"""The real system under the real Prometheus: bot, sandbox, panel and exporters, with life in it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from sandbox import cast
from sandbox.server import make_app
from sandbox.sockets import open_server
from sandbox.telegram import Telegram
from settings import SANDBOX_TOKEN
from tests.chaos.town import BOT_ID
from tests.deploy.tools import ROOT, find, run, tool
from tests.ports import free_port

PROMETHEUS = ROOT / "deploy" / "prometheus"
PATIENCE = 60.0
WINDOW = "10s"
"""What $__rate_interval is when each scrape is one second apart."""
PEOPLE = range(1001, 1005)
TEXTS = ("/start", "/help", "/ping", "hello", "/nosuch", "/stats", "/crash")


def panel_counts() -> bool:
    """Whether the panel is served with metrics."""
    return find_spec("admin.metering") is not None


class Stand:
    """One run. `jobs` of prometheus.yml that are not there are left out of the configuration."""

    def __init__(
        self, folder: Path, database_url: str, *, panel: bool = True, exporters: bool = False
    ) -> None:
        self.folder = folder
        self.telegram = Telegram()
        self.port = free_port()
        self._url = database_url
        self._panel, self._exporters = panel and panel_counts(), exporters
        self._closing = ExitStack()
        self._stop = threading.Event()
        self._server = open_server(make_app(self.telegram), 0)
        self.ports = {"bot": free_port(), "prometheus": self.port}
        backups = folder / "backups"
        backups.mkdir()
        (backups / "first.backup").touch()
        plugins = f"{ROOT / 'plugins'}:{ROOT / 'tests' / 'deploy' / 'troubled'}"
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "TELEGRAM_API_URL": f"http://127.0.0.1:{self._server.port}",
            "TELEGRAM_BOT_TOKEN": SANDBOX_TOKEN,
            "SECRET_KEY": "k" * 32,
            "PLUGINS_PATH": plugins,
            "METRICS_PORT": str(self.ports["bot"]),
            "BACKUP_FOLDER": str(backups),
            "THROTTLE_RATE": "0",
            "SEND_RATE_CHAT": "0",
        }

    def __enter__(self) -> Self:
        serving = threading.Thread(target=self._server.serve_forever, args=[0.1])
        serving.start()
        self._closing.callback(serving.join)
        self._closing.callback(self._server.shutdown)
        try:
            run([sys.executable, "-m", "bot", "migrate"], environ=self._environ, folder=self.folder)
            self.start("bot", [sys.executable, "-m", "bot", "run"])
            if self._panel:
                self._start_panel()
            if self._exporters:
                self._start_exporters()
            self._start_prometheus()
            driver = threading.Thread(target=self._live)
            driver.start()
            self._closing.callback(driver.join)
            self._closing.callback(self._stop.set)
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def start(self, name: str, command: Sequence[str], **environ: str) -> None:
        """Start a process that is ended with the stand; what it says goes into a file."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self._environ, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def end() -> None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()

        self._closing.callback(end)

    def ask(self, question: str, **words: Any) -> Any:
        """Ask Prometheus; give its data."""
        address = f"http://127.0.0.1:{self.port}/api/v1/{question}?{urlencode(words)}"
        with urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        """The numbers that an expression gives now."""
        result = self.ask("query", query=expression.replace("$__rate_interval", WINDOW))["result"]
        numbers = [float(series["value"][1]) for series in result]
        return [number for number in numbers if not math.isnan(number)]

    def course(self, expression: str, end: float, seconds: int, step: int) -> list[dict[str, Any]]:
        """The series that an expression gave over the seconds before the end."""
        query = expression.replace("$__rate_interval", WINDOW)
        words = {"query": query, "start": end - seconds, "end": end, "step": step}
        result: list[dict[str, Any]] = self.ask("query_range", **words)["result"]
        return result

    def names(self) -> set[str]:
        """Every metric that was scraped or recorded."""
        return set(self.ask("label/__name__/values"))

    def wait_for(self, what: Callable[[], object], said: Callable[[], object]) -> None:
        """Wait until something holds. Raises AssertionError with what was to be said."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(URLError, ConnectionError, TimeoutError):
                if what():
                    return
            assert time.monotonic() < deadline, said()
            time.sleep(0.25)

    def logs(self) -> str:
        """The ends of what the processes said."""
        return "\n".join(p.read_text(errors="replace")[-1500:] for p in self.folder.glob("*.log"))

    def _start_panel(self) -> None:
        self.ports["panel"], port = free_port(), free_port()
        command = [sys.executable, "-m", "gunicorn", "-c", "python:admin.gunicorn"]
        ports = {"ADMIN_PORT": str(port), "ADMIN_METRICS_PORT": str(self.ports["panel"])}
        self.start("panel", [*command, "admin.wsgi:app"], **ports)
        self._visited = f"http://127.0.0.1:{port}"
        self.wait_for(lambda: self._visit("/healthz"), self.logs)

    def _start_exporters(self) -> None:
        self.ports |= {"postgres": free_port(), "redis": free_port()}
        listen = f"--web.listen-address=127.0.0.1:{self.ports['postgres']}"
        source = f"{self._url}?sslmode=disable"
        self.start(
            "postgres", [tool("prometheus-postgres-exporter"), listen], DATA_SOURCE_NAME=source
        )
        listen = f"-web.listen-address=127.0.0.1:{self.ports['redis']}"
        address = "-redis.addr=redis://127.0.0.1:6379"
        self.start("redis", [tool("prometheus-redis-exporter"), address, listen])

    def _start_prometheus(self) -> None:
        path = self.folder / "prometheus.yml"
        path.write_text(json.dumps(configuration(self.ports)))
        self.start(
            "prometheus",
            [
                tool("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={self.folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
        )

    def _live(self) -> None:
        """People write, a handler fails, Telegram is busy and cuts; the panel is visited."""
        began, number = time.monotonic(), 0
        while not self._stop.wait(0.2 - 0.15 * math.sin((time.monotonic() - began) / 12)):
            number += 1
            if number % 25 == 5:
                self.telegram.fail("429", "sendMessage", times=1, value=1)
            if number % 25 == 15:
                self.telegram.fail("cut_after", "sendMessage", times=1)
            person = PEOPLE[number % len(PEOPLE)]
            self.telegram.send(BOT_ID, person, person, text=TEXTS[number % len(TEXTS)])
            if number % 10 == 0:
                self.telegram.send(BOT_ID, cast.GROUP_ID, person, text="/ping")
            if "panel" in self.ports and number % 3 == 0:
                self._visit(("/login", "/healthz", "/nowhere")[number // 3 % 3])

    def _visit(self, path: str) -> bool:
        with suppress(URLError, ConnectionError, TimeoutError):
            urlopen(self._visited + path, timeout=5).close()
            return True
        return False


def configuration(ports: dict[str, int]) -> dict[str, Any]:
    """prometheus.yml with a scrape each second, its rules by their whole path, and these ports."""
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in ports]
    for job in jobs:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    config["scrape_configs"] = jobs
    return config


def has_exporters() -> bool:
    """Whether the exporters of PostgreSQL and Redis are installed."""
    return bool(find("prometheus-postgres-exporter") and find("prometheus-redis-exporter"))
