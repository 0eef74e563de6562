"""Spans: what one service did for one request, exported with OpenTelemetry where that is configured.

Work enters through `Tracing.entering`, which says what it answers to; below that, `span` and `sending` add to
whatever is under way in this context. Without an exporter all of them do next to nothing, and the W3C context still
travels from event to event.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
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
"""Seconds that a service which stops waits for its last spans to be taken."""
Attributes = Mapping[str, str | int | float | bool]

_TRACER: ContextVar[Tracer | None] = ContextVar("telecine_tracer", default=None)
_CAUSE: ContextVar[str | None] = ContextVar("telecine_cause", default=None)


class Tracing:
    """The spans of one service; nothing is recorded unless they have somewhere to go. A part: stopping flushes."""

    def __init__(
        self, service: str, *, endpoint: str | None = None, instance: str | None = None, ratio: float = 1.0
    ) -> None:
        """`endpoint`: an OTLP/HTTP collector, e.g. ``http://127.0.0.1:4318``. `instance` tells replicas apart.

        `ratio` is the part of all traces that begin here and are recorded.
        """
        self._service = service
        self._endpoint = endpoint
        self._instance = instance or f"{socket.gethostname()}-{os.getpid()}"
        self._sampler = LinkedRatioSampler(ratio)
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def export(self, exporter: SpanExporter, *, at_once: bool = False) -> None:
        """Record from now on and give finished spans to `exporter`; `at_once`: each by itself, as a test wants them."""
        if self._provider is None:
            facts = {"service.name": f"telecine-{self._service}", "service.instance.id": self._instance}
            self._provider = TracerProvider(
                sampler=self._sampler, resource=Resource.create(facts), shutdown_on_exit=False
            )
            self._tracer = self._provider.get_tracer("telecine")
        processor = SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter)
        self._provider.add_span_processor(processor)

    async def start(self) -> None:
        """Record, if there is a collector."""
        if self._endpoint is not None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            self.export(OTLPSpanExporter(endpoint=f"{self._endpoint.rstrip('/')}/v1/traces", timeout=FLUSH))

    async def stop(self) -> None:
        """Give away the spans that are left."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            await asyncio.to_thread(provider.force_flush, FLUSH * 1000)
            await asyncio.to_thread(provider.shutdown)

    @property
    def records(self) -> bool:
        """Whether spans go anywhere."""
        return self._tracer is not None

    def apply_sampling(self, traceparent: str) -> str:
        """A context from outside, whose trace is recorded only if it is among those that we record.

        Else whoever sends requests would decide how much we record.
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
        """Work that answers to `parent`, long after `link` asked for it; what is done inside belongs to it.

        Exceptions of the types in `expected` are no errors.
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
                if kind is SpanKind.SERVER:  # a request is the beginning of whatever follows, even much later
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
    """A step of what is under way in this context."""
    tracer = _TRACER.get()
    if tracer is None:
        return nullcontext(NO_SPAN)
    return _span(tracer, name, kind=kind, attributes=attributes, expected=expected)


@contextmanager
def linked_span(name: str, askers: Sequence[Span]) -> Iterator[Span]:
    """A step taken for several at once, of which each waits in a span of its own.

    A step for one alone belongs to it. One for several is a trace of its own: it links to all, and all to it.
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
    name: str, event_id: str, cause: str | None, attributes: Attributes
) -> Iterator[str | None]:
    """An event is being sent; gives the context that it carries.

    It stays in the trace of its cause: under the span that is under way, or, where that belongs to another trace,
    linked to it.
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
        tracer, name, kind=SpanKind.PRODUCER, parent=parent, links=links, attributes=attributes
    ) as sent:
        yield format_traceparent(sent.get_span_context())


@contextmanager
def use_traceparent(traceparent: str | None) -> Iterator[None]:
    """What is asked for inside belongs to this trace, though no span is under way."""
    cause = _CAUSE.set(traceparent)
    try:
        yield
    finally:
        _CAUSE.reset(cause)


def mark_failed(span: Span, why: str) -> None:
    """Mark a span as failed. `why` is a class or a code: a text may hold what a trace must not."""
    span.set_status(StatusCode.ERROR, why)
    span.set_attribute("error.type", why)


def bind_context(**ids: str) -> None:
    """Name on every later log line, and on the span under way, what this work is about: ids, never content."""
    structlog.contextvars.bind_contextvars(**ids)
    now = trace.get_current_span()
    if now.is_recording():
        now.set_attributes({f"telecine.{name}": value for name, value in ids.items()})


def current_span() -> Span:
    """The span under way; without tracing one that does nothing."""
    return trace.get_current_span() if _TRACER.get() is not None else NO_SPAN


def current_traceparent() -> str | None:
    """The context of the work under way: its span, or without tracing what it answers to."""
    now = trace.get_current_span().get_span_context() if _TRACER.get() is not None else None
    return format_traceparent(now) if now is not None and now.is_valid else _CAUSE.get()


def trace_headers() -> dict[str, str]:
    """The headers by which a request to another service is part of the work under way."""
    traceparent = current_traceparent()
    return {} if traceparent is None else {TRACEPARENT_HEADER: traceparent}


def current_log_fields() -> dict[str, str]:
    """The trace and span of the work under way, for its log lines."""
    return trace_log_fields(current_traceparent())


def timer_trace_headers() -> dict[str, str]:
    """The headers by which a timer remembers where it comes from: what set it, and what that answered to."""
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
    """Without a `parent` the span belongs to the one under way; an empty one makes it the first of its trace."""
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        links=links,
        record_exception=False,  # its text may hold what a trace must not
        set_status_on_exception=False,
    ) as started:
        try:
            yield started
        except Exception as error:
            if not isinstance(error, expected):
                mark_failed(started, type(error).__name__)
            raise
