"""The panel's metrics: what every worker counts, added up, those that are gone included.

The Prometheus library looks for the folder in which workers count when it is imported: import this
only where `admin.folder` has named one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_flask_exporter.multiprocess import GunicornPrometheusMetrics

from bot.metrics import SECONDS, serve

PROBES = r"/(healthz|readyz)\Z"
"""Not counted: asked every few seconds, and a 503 says that the bot is gone, not the panel."""


class PanelMetrics(GunicornPrometheusMetrics):  # type: ignore[misc]
    """Counts the requests of one worker by the rule of their route; unknown paths are one."""

    def __init__(self) -> None:
        super().__init__(
            None,
            defaults_prefix="panel",
            group_by="url_rule",
            buckets=SECONDS,
            excluded_paths=PROBES,
        )

    def info(self, *_arguments: Any, **_labels: Any) -> None:
        """Leave out the gauge of the exporter's version: one would stay for every worker."""


class Sum(MultiProcessCollector):
    """The sum over the files of all workers, without those that nothing was written to yet.

    A worker makes a file and then gives it its size; killed in between, it leaves one for good.
    """

    def collect(self) -> Iterable[Metric]:
        """What a scrape gets."""
        files = [str(path) for path in Path(self._path).glob("*.db") if path.stat().st_size]
        merged: Iterable[Metric] = self.merge(files)  # type: ignore[no-untyped-call]
        return merged


def serve_metrics(port: int) -> WSGIServer:
    """Answer scrapes in this process, for all workers. Raises SettingsError for a taken port."""
    registry = CollectorRegistry()
    Sum(registry)  # type: ignore[no-untyped-call]
    return serve(registry, port, setting="ADMIN_METRICS_PORT")
