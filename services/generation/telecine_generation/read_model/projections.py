"""Projection of generations in flight, for the sweeper that restores lost timers."""

from collections.abc import Iterator

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.gateway import CancelRequested, VideoEvent
from telecine_contracts.generation import (
    GenerationCancelled,
    GenerationFailed,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)
from telecine_contracts.streams import VIDEO
from telecine_generation.rules.generation import LATE_RESULT_CODES

from .tables import InFlightRow


def keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The generation's row."""
    event = recorded.event
    assert isinstance(event, VideoEvent)
    yield InFlightRow, event.generation


def apply(rows: Rows, recorded: RecordedEvent) -> None:
    """Inserts a generation at its first claim or its cancel request, and deletes it at its end."""
    event = recorded.event
    assert isinstance(event, VideoEvent)
    row = rows.get(InFlightRow, event.generation)
    if row is None:
        if isinstance(event, SubmissionStarted | CancelRequested):
            claimed = new_row(
                InFlightRow,
                generation=event.generation,
                account=event.account,
                since=recorded.envelope.time,
                traceparent=recorded.envelope.traceparent,
            )
            rows.add(InFlightRow, claimed)
        return
    match event:
        case SubmissionStarted() | CancelRequested():
            row.retry_at = None
        case SubmissionDeferred():
            row.retry_at = event.retry_at
        case GenerationSubmitted():
            row.submitted = True
        case GenerationFailed(code=code) if code in LATE_RESULT_CODES:
            row.ended = True
        case GenerationFailed() | GenerationCancelled() | VideoReady() | LateResultRecorded():
            rows.delete(InFlightRow, row)
        case _:
            pass


EVENTS = (
    SubmissionStarted,
    SubmissionDeferred,
    GenerationSubmitted,
    CancelRequested,
    VideoReady,
    GenerationFailed,
    GenerationCancelled,
    LateResultRecorded,
)
PROJECTIONS = (Projection("in_flight", VIDEO, apply, keys, EVENTS, linger=0.25),)
