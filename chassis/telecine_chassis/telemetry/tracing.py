"""Tracing with OpenTelemetry, exported where a collector is configured.

Work begins with `Tracing.entry_span`, which names its parent; inside it, `span` and `producer_span` add children.
Without an exporter they record nothing, but the W3C context is still propagated from event to event.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import structlog
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
)

from .samplers import LinkedRatioSampler
from .trace_context import (
    SET_BY_HEADER,
    TRACEPARENT_HEADER,
    child_traceparent,
    format_traceparent,
    parent_context,
    parse_traceparent,
    span_links,
    trace_log_fields,
)

__all__ = [
    "Span",
    "SpanKind",
    "Tracing",
    "bind_context",
    "current_log_fields",
    "current_span",
    "current_traceparent",
    "detached_trace",
    "linked_span",
    "mark_failed",
    "producer_span",
    "span",
    "timer_trace_headers",
    "trace_headers",
    "use_traceparent",
]

NO_SPAN = trace.INVALID_SPAN
FLUSH = 5
"""Seconds that a stopping service waits for its last spans to be exported."""
Attributes = Mapping[str, str | int | float | bool]

_TRACER: ContextVar[Tracer | None] = ContextVar("telecine_tracer", default=None)
_CAUSE: ContextVar[str | None] = ContextVar("telecine_cause", default=None)


class Tracing:
    """The tracer of one service, a component: stopping flushes. Without an exporter nothing is recorded."""

    def __init__(
        self, service: str, *, endpoint: str | None = None, instance: str | None = None, ratio: float = 1.0
    ) -> None:
        """`endpoint`: an OTLP/HTTP collector, e.g. ``http://127.0.0.1:4318``. `instance` names the replica.

        `ratio`: the share of the traces that begin here and are recorded.
        """
        self._service = service
        self._endpoint = endpoint
        self._instance = instance or f"{socket.gethostname()}-{os.getpid()}"
        self._sampler = LinkedRatioSampler(ratio)
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def export(self, exporter: SpanExporter, *, at_once: bool = False) -> None:
        """Record from now on and send finished spans to `exporter`; `at_once`: unbatched, for tests."""
        if self._provider is None:
            facts = {"service.name": f"telecine-{self._service}", "service.instance.id": self._instance}
            self._provider = TracerProvider(
                sampler=self._sampler, resource=Resource.create(facts), shutdown_on_exit=False
            )
            self._tracer = self._provider.get_tracer("telecine")
        processor = SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter)
        self._provider.add_span_processor(processor)

    async def start(self) -> None:
        """Start recording if there is a collector."""
        if self._endpoint is not None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            self.export(OTLPSpanExporter(endpoint=f"{self._endpoint.rstrip('/')}/v1/traces", timeout=FLUSH))

    async def stop(self) -> None:
        """Export the remaining spans."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            await asyncio.to_thread(provider.force_flush, FLUSH * 1000)
            await asyncio.to_thread(provider.shutdown)

    @property
    def records(self) -> bool:
        """Whether spans are exported."""
        return self._tracer is not None

    def apply_sampling(self, traceparent: str) -> str:
        """An external context with the sampled flag by our own ratio.

        Otherwise clients could decide how much is recorded here.
        """
        context = parse_traceparent(traceparent)
        if context is None or self._sampler.takes(context.trace_id):
            return traceparent
        return f"{traceparent[:-2]}00"

    @contextmanager
    def entry_span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.CONSUMER,
        parent: str | None = None,
        link: str | None = None,
        attributes: Attributes | None = None,
        expected: tuple[type[Exception], ...] = (),
    ) -> Iterator[Span]:
        """A span for work that follows from `parent`; `link` is the span that scheduled it, perhaps long ago.

        Exceptions of the types in `expected` do not mark it as failed.
        """
        cause, active = _CAUSE.set(parent), _TRACER.set(self._tracer)
        try:
            if self._tracer is None:
                yield NO_SPAN
                return
            with _span(
                self._tracer,
                name,
                kind=kind,
                parent=parent_context(parent),
                links=span_links(link if link != parent else None),
                attributes=attributes,
                expected=expected,
            ) as entered:
                if (
                    kind is SpanKind.SERVER
                ):  # what follows from a request, even much later, continues its span
                    _CAUSE.set(format_traceparent(entered.get_span_context()))
                yield entered
        finally:
            _TRACER.reset(active)
            _CAUSE.reset(cause)


def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    expected: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Span]:
    """A child of the current span."""
    tracer = _TRACER.get()
    if tracer is None:
        return nullcontext(NO_SPAN)
    return _span(tracer, name, kind=kind, attributes=attributes, expected=expected)


@contextmanager
def linked_span(name: str, askers: Sequence[Span]) -> Iterator[Span]:
    """A span for one step on behalf of several spans, such as a batched request.

    For a single one it is its child. For several it is a trace of its own, with links in both directions.
    """
    tracer = _TRACER.get()
    if tracer is None:
        yield NO_SPAN
        return
    several = len(askers) > 1
    contexts = [asker.get_span_context() for asker in askers] if several else []
    links = [Link(context) for context in contexts if context.is_valid]
    parent = otel.Context() if several else trace.set_span_in_context(askers[0], otel.Context())
    with _span(tracer, name, kind=SpanKind.INTERNAL, parent=parent, links=links) as joined:
        for asker in askers if several else ():
            asker.add_link(joined.get_span_context())
        yield joined


@contextmanager
def producer_span(
    name: str, event_id: str, cause: str | None, attributes: Callable[[], Attributes]
) -> Iterator[str | None]:
    """A span for sending an event; yields the traceparent of the event.

    The event stays in the trace of its cause: the span is a child of the current one, or, if that belongs to another
    trace, of the cause, with a link to the current one.
    """
    tracer = _TRACER.get()
    if tracer is None:
        yield child_traceparent(cause or current_traceparent(), event_id)
        return
    now, caused = trace.get_current_span().get_span_context(), parse_traceparent(cause)
    elsewhere = caused is not None and now.trace_id != caused.trace_id
    links = span_links(current_traceparent()) if elsewhere and now.is_valid else []
    parent = parent_context(cause) if elsewhere else None
    with _span(
        tracer, name, kind=SpanKind.PRODUCER, parent=parent, links=links, attributes=attributes()
    ) as sent:
        yield format_traceparent(sent.get_span_context())


@contextmanager
def use_traceparent(traceparent: str | None) -> Iterator[None]:
    """Use `traceparent` as the cause within the block, without a span."""
    cause = _CAUSE.set(traceparent)
    try:
        yield
    finally:
        _CAUSE.reset(cause)


@contextmanager
def detached_trace() -> Iterator[None]:
    """Begin no child of the current trace within the block: periodic work would make it endless."""
    active, cause = _TRACER.set(None), _CAUSE.set(None)
    try:
        yield
    finally:
        _CAUSE.reset(cause)
        _TRACER.reset(active)


def mark_failed(span: Span, why: str) -> None:
    """Mark a span as failed. `why` is a class name or a code: error texts may contain prompts or keys."""
    span.set_status(StatusCode.ERROR, why)
    span.set_attribute("error.type", why)


def bind_context(**ids: str) -> None:
    """Add ids to every later log line of this context and to the current span: ids only, never content."""
    structlog.contextvars.bind_contextvars(**ids)
    now = trace.get_current_span()
    if now.is_recording():
        now.set_attributes({f"telecine.{name}": value for name, value in ids.items()})


def current_span() -> Span:
    """The current span; a no-op span without tracing."""
    return trace.get_current_span() if _TRACER.get() is not None else NO_SPAN


def current_traceparent() -> str | None:
    """The traceparent of the current span, or without tracing of the cause."""
    now = trace.get_current_span().get_span_context() if _TRACER.get() is not None else None
    return format_traceparent(now) if now is not None and now.is_valid else _CAUSE.get()


def trace_headers() -> dict[str, str]:
    """Headers that make a request to another service part of the current trace."""
    traceparent = current_traceparent()
    return {} if traceparent is None else {TRACEPARENT_HEADER: traceparent}


def current_log_fields() -> dict[str, str]:
    """The current trace and span ids as log fields."""
    return trace_log_fields(current_traceparent())


def timer_trace_headers() -> dict[str, str]:
    """Headers of a timer: the cause of the work that sets it, and the span that sets it."""
    now, cause = current_traceparent(), _CAUSE.get()
    headers = {TRACEPARENT_HEADER: cause or now, SET_BY_HEADER: now if now != cause else None}
    return {name: value for name, value in headers.items() if value is not None}


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    *,
    kind: SpanKind,
    parent: otel.Context | None = None,
    links: Sequence[Link] = (),
    attributes: Attributes | None = None,
    expected: tuple[type[Exception], ...] = (),
) -> Iterator[Span]:
    """A child of the current span without a `parent`; the first of a new trace with an empty one."""
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=links,
        record_exception=False,  # its text may contain prompts or keys
        set_status_on_exception=False,
    ) as started:
        try:
            yield started
        except Exception as error:
            if not isinstance(error, expected):
                mark_failed(started, type(error).__name__)
            raise
