"""Measures one call: its outcome, its duration, how many are under way, and a span."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from opentelemetry.trace import INVALID_SPAN, Span
from prometheus_client import Counter, Gauge, Histogram

__all__ = ["Measurement", "measured"]


@dataclass(slots=True)
class Measurement:
    """A call that is being measured. The caller sets `outcome`, a word from a short list."""

    outcome: str
    span: Span = INVALID_SPAN


@contextmanager
def measured(
    calls: Counter,
    *labels: str,
    seconds: Histogram,
    running: Gauge | None = None,
    span: AbstractContextManager[Span] | None = None,
    errors: Mapping[type[Exception], str] | None = None,
    default: str = "failed",
) -> Iterator[Measurement]:
    """Measure the block: `calls` counts it under `labels` and its outcome, `seconds` observes how long it takes.

    The outcome is the one that the block sets, that of `errors` for an exception of these types, or `default`. Give
    `seconds` and `running` with their labels; `span` gets the outcome as ``telecine.outcome``.
    """
    measurement = Measurement(default)
    try:
        with (
            span or nullcontext(INVALID_SPAN) as measurement.span,
            running.track_inprogress() if running is not None else nullcontext(),
            seconds.time(),
        ):
            try:
                yield measurement
            except Exception as error:
                outcomes = (outcome for kind, outcome in (errors or {}).items() if isinstance(error, kind))
                measurement.outcome = next(outcomes, measurement.outcome)
                raise
            finally:
                measurement.span.set_attribute("telecine.outcome", measurement.outcome)
    finally:
        # Also counts a call that was cancelled: its outcome is `default`.
        calls.labels(*labels, measurement.outcome).inc()
