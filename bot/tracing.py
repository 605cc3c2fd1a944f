"""Traces: from the poll over handler and database to the calls, for a collector of OpenTelemetry.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set; then spans wait in a queue of bounded length, and a
collector that is slow or gone costs those that find no room. No text of a person, address of a
call or value of a statement is in a span.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from settings import VERSION, Settings, SettingsError

MISSING = "OTEL_EXPORTER_OTLP_ENDPOINT needs packages: run pip install -r requirements-extra.txt"
PATIENCE = 5.0
"""Seconds that the collector gets for a batch."""
FAREWELL = 1.0
"""Seconds that it gets for the last one."""
MOST_WAITING = 2048
NOTHING: AbstractContextManager[None] = nullcontext()


class Tracing:
    """The traces of this process, or none. `exporter` is where they go instead of a collector."""

    def __init__(self) -> None:
        self._tracer: Any = None
        self._processor: Any = None
        self.on = False
        """Whether spans are made."""

    def start(self, settings: Settings, *, app: str = "bot", exporter: Any = None) -> None:
        """Begin, in a process that will fork no more. Raises SettingsError without the packages."""
        if not settings.otel_endpoint:
            return
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            exporter = exporter or _exporter(settings.otel_endpoint)
        except ImportError:
            raise SettingsError(f"{MISSING}.") from None
        about = {"service.name": f"steadygram-{app}", "service.version": VERSION}
        provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING)
        provider.add_span_processor(self._processor)
        self._tracer, self.on = provider.get_tracer("steadygram"), True

    def stop(self) -> None:
        """Send what waits, if the collector takes it at once; make no more spans."""
        if self._tracer is None:
            return
        self._tracer, self.on = None, False
        last = threading.Thread(target=self._processor.force_flush, name="traces", daemon=True)
        last.start()
        last.join(FAREWELL)
        if not last.is_alive():  # one that hangs would be waited for
            self._processor.shutdown()

    def span(
        self, name: str, parent: Any = None, **attributes: str | int
    ) -> AbstractContextManager[Any]:
        """A span for a block; its parent is that of the thread, or the one that is given."""
        if self._tracer is None:
            return NOTHING
        span: AbstractContextManager[Any] = self._tracer.start_as_current_span(
            name,
            parent,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,  # its words may be those of a person
        )
        return span

    def begin(self, name: str, **attributes: str | int) -> Callable[[str], None] | None:
        """A span that may end in another thread: call what is given, with how it ended."""
        if self._tracer is None:
            return None
        span = self._tracer.start_span(name, attributes=attributes)

        def end(outcome: str) -> None:
            span.set_attribute("outcome", outcome)
            span.end()

        return end

    def here(self) -> Any:
        """The parent for spans of other threads; None when there are none."""
        if self._tracer is None:
            return None
        from opentelemetry.context import get_current

        return get_current()

    def watch(self, database: Any) -> None:
        """Make a span of each statement within another span, by its first word alone."""
        if self._tracer is None:
            return
        execute = database.execute_sql

        def execute_sql(sql: str, *arguments: Any) -> Any:
            with self._statement(sql):
                return execute(sql, *arguments)

        database.execute_sql = execute_sql

    @contextmanager
    def _statement(self, sql: str) -> Iterator[None]:
        from opentelemetry.trace import get_current_span

        if not get_current_span().is_recording():
            yield
            return
        with self.span("database", operation=sql.split(None, 1)[0].upper()[:16]):
            yield


tracing = Tracing()
"""Those of this process."""


def _exporter(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=PATIENCE)
