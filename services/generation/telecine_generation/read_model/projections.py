"""Projection of generations in flight, for the sweeper that restores lost timers."""

from sqlmodel import Session

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_contracts.gateway import CancelRequested
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


def apply(session: Session, recorded: RecordedEvent) -> None:
    """Inserts a generation at its first claim or its cancel request, and deletes it at its end."""
    match recorded.event:
        case SubmissionStarted() | CancelRequested() as event:
            row = session.get(InFlightRow, event.generation)
            if row is not None:
                row.retry_at = None
            else:
                session.add(
                    InFlightRow(
                        generation=event.generation,
                        account=event.account,
                        since=recorded.envelope.time,
                        traceparent=recorded.envelope.traceparent,
                    )
                )
        case SubmissionDeferred() as event:
            row = session.get(InFlightRow, event.generation)
            if row is not None:
                row.retry_at = event.retry_at
        case GenerationSubmitted() as event:
            row = session.get(InFlightRow, event.generation)
            if row is not None:
                row.submitted = True
        case GenerationFailed(code=code) as event if code in LATE_RESULT_CODES:
            row = session.get(InFlightRow, event.generation)
            if row is not None:
                row.ended = True
        case GenerationFailed() | GenerationCancelled() | VideoReady() | LateResultRecorded() as event:
            row = session.get(InFlightRow, event.generation)
            if row is not None:
                session.delete(row)
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
PROJECTIONS = (Projection("in_flight", VIDEO, apply, EVENTS, linger=0.25),)
