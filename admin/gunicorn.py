"""How gunicorn serves the panel: `gunicorn -c python:admin.gunicorn admin.wsgi:app`.

What stands here under a name of gunicorn's is a setting of it, or a function that it calls.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

from admin.bounds import BODY, METHODS
from admin.folder import make_folder, memory, remove_folder
from admin.server_log import start_log
from bot.reports import report
from bot.serve import check
from bot.tables import wait_for
from bot.tracing import tracing
from bot.trial import PASSED, run_verb
from database import current, open_database
from settings import SettingsError, load

log = logging.getLogger(__name__)

_settings = load()
check(_settings)

bind = f"{_settings.admin_host}:{_settings.admin_port}"
workers = _settings.admin_workers
threads = _settings.admin_threads
worker_class = "admin.gatherer.Gatherer"
worker_connections = 400  # each is a file, and many systems allow a process 1024
worker_tmp_dir = str(memory())
timeout = 60
graceful_timeout = 10  # honcho's processes, and docker's, have not much longer
keepalive = 5
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
forwarded_allow_ips = ""  # TRUSTED_PROXIES is what is believed, and the application sees to it
logger_class = "admin.server_log.ServerLog"
accesslog = None  # see admin.traffic
control_socket_disable = True
preload_app = False  # each worker loads the plugins as they are when it begins
reuse_port = False  # of its own sockets a worker that ends would take the waiting ones with it

_held: dict[str, Any] = {}
"""What this process must not let go of: its log, a lock, and the socket that answers scrapes."""


def on_starting(_server: Any) -> None:
    """Begin only when that will work: on a database that answers, with its tables up to date."""
    _held["log"] = start_log(_settings)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    database = open_database(_settings.database_url.reveal())
    wait_for(database, lambda: None)
    database.close_all()  # no connection is there when workers are forked
    if said := _rehearse():
        _refuse(said)
    _held["folder"] = make_folder(os.environ)


def when_ready(_server: Any) -> None:
    """Answer scrapes for all workers."""
    from admin.metering import serve_metrics

    try:
        _held["metrics"] = serve_metrics(_settings.admin_metrics_port)
    except SettingsError as error:
        remove_folder(os.environ)
        _refuse(str(error))


def post_fork(_server: Any, _worker: Any) -> None:
    """Give a new worker a log of its own, and take from it what only its parent is to have."""
    _held["metrics"].socket.close()
    _held["log"] = start_log(_settings)
    report(_settings, app="panel")
    tracing.start(_settings, app="panel")


def worker_exit(_server: Any, _worker: Any) -> None:
    """Let the last traces go."""
    tracing.stop()


def post_worker_init(worker: Any) -> None:
    """Say that a worker is there."""
    tracing.watch(current())
    log.info("panel_worker_ready", extra={"worker": worker.pid})


def pre_request(_worker: Any, asked: Any) -> None:
    """Refuse what is no method, before it is counted; do not wait for a body that is too large."""
    from gunicorn.http.errors import InvalidRequestMethod

    if asked.method not in METHODS:
        raise InvalidRequestMethod("unknown")
    if any(name == "CONTENT-LENGTH" and int(size) > BODY for name, size in asked.headers):
        asked.force_close()


def on_reload(server: Any) -> None:
    """Keep the workers that there are when new ones, after a HUP, could not begin."""
    if said := _rehearse():
        log.error("the panel goes on as it was: %s", said)
        server.cfg.set("workers", 0)  # so many new ones are begun; the next HUP reads it anew


def child_exit(_server: Any, worker: Any) -> None:
    """Forget what a worker that is gone measured of itself; what it counted stays."""
    from admin.metering import PanelMetrics

    PanelMetrics.mark_process_dead_on_child_exit(worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    remove_folder(os.environ)


def _rehearse() -> str | None:
    """Put the panel together in a process of its own: here the plugins are never loaded."""
    return run_verb("panel", "--rehearse", passed=PASSED)


def _refuse(said: str) -> None:
    sys.stderr.write(f"{said}\n")
    sys.exit(2)
