"""W3C trace context, propagated from the HTTP request through every event and timer that follows from it."""

import re

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags

__all__ = [
    "DUE_HEADER",
    "SET_BY_HEADER",
    "TRACEPARENT_HEADER",
    "child_traceparent",
    "format_traceparent",
    "parent_context",
    "parse_traceparent",
    "span_links",
    "trace_log_fields",
]

TRACEPARENT_HEADER = "traceparent"
"""Header of an event or a timer: the span that it follows from."""
SET_BY_HEADER = "telecine-set-by"
"""Header of a timer: the span that set it. It has ended when the timer fires, so it is linked, not continued."""
DUE_HEADER = "telecine-due"
"""Header of a timer: when it is due."""

_TRACEPARENT_PATTERN = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


def child_traceparent(traceparent: str | None, event_id: str) -> str | None:
    """The trace context of an event: the trace of its cause, with a span id derived from the event's id.

    Returns None for None and for a malformed context, since a missing trace must not fail the work.
    """
    match = _TRACEPARENT_PATTERN.fullmatch(traceparent or "")
    if match is None:
        return None
    return f"00-{match[1]}-{event_id.replace('-', '')[:16]}-{match[3]}"


def trace_log_fields(traceparent: str | None) -> dict[str, str]:
    """The log fields of a trace context; empty for one that is missing or malformed."""
    match = _TRACEPARENT_PATTERN.fullmatch(traceparent or "")
    return {"trace_id": match[1], "span_id": match[2]} if match else {}


def parse_traceparent(traceparent: str | None) -> SpanContext | None:
    """OpenTelemetry's form of a trace context; None for one that is missing or malformed."""
    match = _TRACEPARENT_PATTERN.fullmatch(traceparent or "")
    if match is None:
        return None
    return SpanContext(int(match[1], 16), int(match[2], 16), True, TraceFlags(int(match[3], 16)))


def format_traceparent(context: SpanContext) -> str:
    """The traceparent of a span context."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"


def parent_context(traceparent: str | None) -> Context:
    """The context for a child span; an empty one, which starts a trace, without a valid traceparent."""
    context = parse_traceparent(traceparent)
    if context is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def span_links(*traceparents: str | None) -> list[Link]:
    """Links to the valid ones of these contexts."""
    contexts = map(parse_traceparent, traceparents)
    return [Link(context) for context in contexts if context is not None]
