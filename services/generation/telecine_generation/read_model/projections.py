"""Projection of generations in flight: the tasks to poll, and what the sweeper restores lost timers from."""

from collections.abc import Iterator

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.erasure import AccountErased
from telecine_contracts.gateway import CancelRequested, VideoEvent
from telecine_contracts.generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
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
    if isinstance(event, AccountErased):
        return
    assert isinstance(event, VideoEvent)
    yield InFlightRow, event.generation


def apply(rows: Rows, recorded: RecordedEvent) -> None:
    """Inserts a generation at its first claim or its cancel request, and deletes it at its end."""
    event = recorded.event
    if isinstance(event, AccountErased):
        rows.erase(InFlightRow, account=event.account)
        return
    assert isinstance(event, VideoEvent)
    row = rows.get(InFlightRow, event.generation)
    if row is None:
        if isinstance(event, SubmissionStarted | CancelRequested):
            claimed = new_row(
                InFlightRow,
                generation=event.generation,
                account=event.account,
                cancelling=isinstance(event, CancelRequested),
                since=recorded.envelope.time,
                traceparent=recorded.envelope.traceparent,
            )
            rows.add(InFlightRow, claimed)
        return
    match event:
        case SubmissionStarted():
            row.retry_at = None
        case CancelRequested():
            row.retry_at, row.cancelling = None, True
        case CancelDeclined():
            row.cancelling = False
        case SubmissionDeferred():
            row.retry_at = event.retry_at
        case GenerationSubmitted():
            row.task_id, row.flex = event.provider_task_id, event.service_tier == "flex"
            row.submitted_at, row.deadline_at = event.submitted_at, event.deadline_at
        case GenerationProgressed():
            row.status = event.provider_status
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
    GenerationProgressed,
    CancelRequested,
    CancelDeclined,
    VideoReady,
    GenerationFailed,
    GenerationCancelled,
    LateResultRecorded,
    AccountErased,
)
PROJECTIONS = (Projection("in_flight", VIDEO, apply, keys, EVENTS, interval=0.5),)
