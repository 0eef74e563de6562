"""W3C trace context, carried from the HTTP request through every event that follows from it."""

import re

__all__ = ["child", "fields"]

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def child(traceparent: str | None, event_id: str) -> str | None:
    """The trace context of an event: the trace of its cause, with a span id taken from the event's own id.

    None or a malformed context gives None: a trace is an aid, never a reason to fail.
    """
    match = _FORM.fullmatch(traceparent or "")
    if match is None:
        return None
    return f"00-{match[1]}-{event_id.replace('-', '')[:16]}-{match[3]}"


def fields(traceparent: str | None) -> dict[str, str]:
    """The log fields of a trace context."""
    match = _FORM.fullmatch(traceparent or "")
    return {"trace_id": match[1], "span_id": match[2]} if match else {}
