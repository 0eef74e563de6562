"""A generation's row: its status never regresses, whatever the order of events."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.data.video_events import NOW, PROVIDER_TASK, GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import Envelope, Event
from telecine_contracts.subjects import of_event
from telecine_gateway.read_model.charges import Charge
from telecine_gateway.read_model.generations import ENDED, apply_event
from telecine_gateway.read_model.tables import GenerationRow
from telecine_gateway.read_model.timeline import merge_ordered, public_data
from telecine_gateway.videos.reader import GenerationState, generation_status

OF = GenerationEvents("acme", "g-1")
STOPGAP = "https://provider.example.com/x.mp4"
RANK = {"pending": 0, "processing": 1, "completed": 2, "failed": 2, "cancelled": 2}


def recorded(event: Event, sequence: int) -> RecordedEvent:
    envelope = Envelope(
        id=f"e{sequence}",
        source="test",
        type=event.type,
        time=NOW + timedelta(seconds=sequence),
        subject=of_event(event),
        correlation="g-1",
        causation="test",
    )
    return RecordedEvent(event, envelope, sequence)


def after(*events: Event) -> GenerationRow:
    row = None
    for sequence, event in enumerate(events, 1):
        row = apply_event(row, recorded(event, sequence))
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("events", "status", "provider_status"),
    [
        ([], "pending", None),
        ([OF.started()], "processing", "submitting"),
        ([OF.submitted()], "processing", "queued"),
        ([OF.submitted(), OF.progressed("running")], "processing", "running"),
        ([OF.submitted(), OF.ready()], "processing", "succeeded"),
        ([OF.submitted(), OF.cancel_requested(), OF.cancel_declined()], "processing", "running"),
        ([OF.ready(), OF.stored()], "completed", "succeeded"),
        ([OF.ready(), OF.not_stored(STOPGAP, NOW)], "completed", "succeeded"),
        ([OF.ready(), OF.not_stored()], "failed", "succeeded"),
        ([OF.failed()], "failed", None),
        ([OF.cancel_requested(), OF.cancelled()], "cancelled", None),
        ([OF.failed(), OF.late_result()], "failed", None),
        ([OF.cancelled(), OF.ready(), OF.stored()], "cancelled", None),
    ],
)
def test_status_follows_the_events(events: list[Event], status: str, provider_status: str | None) -> None:
    row = after(OF.requested(), *events)

    assert (row.status, row.provider_status) == (status, provider_status)
    assert (row.ended_at is not None) is (status in ENDED)
    assert row.sequence == len(events) + 1
    assert row.updated_at == NOW + timedelta(seconds=row.sequence)


def test_the_row_keeps_the_fields_of_its_events() -> None:
    row = after(OF.requested(prompt="a dog"), OF.submitted(), OF.ready(), OF.stored(size=77))

    assert (row.prompt, row.provider_task_id, row.bytes, row.width) == ("a dog", PROVIDER_TASK, 77, 1280)
    assert (row.price, row.model, row.ratio) == (50, "doubao-seedance-1-0-pro-250528", "16:9")
    assert row.requested_at == NOW + timedelta(seconds=1)


def test_late_stored_video_replaces_the_temporary_url() -> None:
    row = after(OF.requested(), OF.ready(), OF.not_stored(STOPGAP, NOW), OF.stored())

    assert (row.status, row.stopgap_url, row.bytes) == ("completed", None, 1000)


def test_duplicate_and_unknown_events_are_ignored() -> None:
    row = after(OF.requested(), OF.started(), OF.submitted())

    again = apply_event(row, recorded(OF.failed(), 2))

    assert again is row
    assert row.status == "processing"
    assert apply_event(None, recorded(OF.stored(), 1)) is None


def charge(state: str) -> Charge:
    return Charge(generation="g-1", account="acme", state=state, amount=50, available=30)


def test_the_charge_decides_the_status_before_submission() -> None:
    row = after(OF.requested())

    assert generation_status(row, None) == "pending"
    assert generation_status(row, charge("debited")) == "processing"
    denied = GenerationState(row, charge("denied"))
    assert (denied.status, denied.error, denied.credits_used) == ("failed", "Insufficient credits", 0)
    assert generation_status(after(OF.requested(), OF.cancelled()), charge("refunded")) == "cancelled"


@pytest.mark.parametrize(
    ("state", "used"), [("debited", 50), ("settled", 50), ("refunded", 0), ("denied", 0)]
)
def test_credits_used_counts_held_and_spent_credits(state: str, used: int) -> None:
    assert GenerationState(after(OF.requested()), charge(state)).credits_used == used


EVENTS = [
    OF.started(),
    OF.submitted(),
    OF.progressed("queued"),
    OF.progressed("running"),
    OF.ready(),
    OF.stored(),
    OF.not_stored(),
    OF.not_stored(STOPGAP, NOW),
    OF.failed(),
    OF.cancel_requested(),
    OF.cancel_declined(),
    OF.cancelled(),
    OF.late_result(),
    OF.requested(),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_the_status_never_goes_back(events: list[Event]) -> None:
    row = apply_event(None, recorded(OF.requested(), 1))
    for sequence, event in enumerate(events, 2):
        assert row is not None
        before = row.status
        row = apply_event(row, recorded(event, sequence))
        assert row is not None
        assert row.status == before or RANK[row.status] > RANK[before]


def test_timeline_keeps_the_order_of_each_stream() -> None:
    def entry(stream: str, sequence: int, time: int) -> dict[str, Any]:
        return {"stream": stream, "sequence": sequence, "time": time}

    requested, started, stored = (entry("VIDEO", *each) for each in ((1, 3600), (2, 10), (3, 60)))
    debited, settled = (entry("LEDGER", *each) for each in ((7, 5), (9, 61)))
    shuffled = [settled, stored, started, debited, requested]
    assert merge_ordered(shuffled) == [requested, debited, started, stored, settled]
    assert merge_ordered([]) == []


@pytest.mark.parametrize(
    "event", [OF.requested("very-secret prompt"), OF.ready(), OF.not_stored(STOPGAP, NOW)]
)
def test_timeline_contains_no_secrets(event: Event) -> None:
    told = str(public_data(event))

    assert "secret" not in told
    assert "http" not in told
