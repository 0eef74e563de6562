"""The decider: events, then a command, then the new event, a refusal, or none."""

import pytest
from tests.support.data.video_events import GenerationEvents

from telecine_contracts import Event
from telecine_contracts.gateway import Kind
from telecine_gateway.domain import (
    AlreadyEnded,
    Generation,
    IdempotencyConflict,
    RequestCancel,
    RequestGeneration,
    UnknownGeneration,
    decide,
    evolve,
)

OF = GenerationEvents("acme", "g-1")
CANCEL = RequestCancel("acme", "g-1")


def given_events(*events: Event) -> Generation:
    generation = Generation()
    for event in events:
        generation = evolve(generation, event)
    return generation


def request(digest: str = "d" * 64) -> RequestGeneration:
    event = OF.requested(digest=digest)
    return RequestGeneration(
        account="acme",
        generation="g-1",
        kind=Kind.TEXT_TO_VIDEO,
        parameters=event.parameters,
        price=event.price,
        digest=digest,
        api_key="key_1",
    )


def test_a_request_is_recorded_with_everything() -> None:
    assert decide(request(), given_events()) == OF.requested()


def test_repeated_request_records_nothing() -> None:
    assert decide(request(), given_events(OF.requested())) is None
    assert decide(request(), given_events(OF.requested(), OF.started(), OF.ready(), OF.stored())) is None


def test_other_request_with_the_same_id_is_a_conflict() -> None:
    with pytest.raises(IdempotencyConflict):
        decide(request("e" * 64), given_events(OF.requested()))


@pytest.mark.parametrize("events", [[], [OF.started()], [OF.started(), OF.submitted(), OF.progressed()]])
def test_a_cancel_is_recorded_once(events: list[Event]) -> None:
    running = given_events(OF.requested(), *events)

    assert decide(CANCEL, running) == OF.cancel_requested()
    asked = evolve(running, OF.cancel_requested())
    assert decide(CANCEL, asked) is None
    assert decide(CANCEL, evolve(asked, OF.cancel_declined())) is None
    assert decide(CANCEL, evolve(asked, OF.cancelled())) is None


def test_cancel_of_unknown_generation_is_refused() -> None:
    with pytest.raises(UnknownGeneration):
        decide(CANCEL, given_events())


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        (OF.ready(), None),
        (OF.stored(), "completed"),
        (OF.not_stored("https://provider.example.com/x"), "completed"),
        (OF.not_stored(), "failed"),
        (OF.failed(), "failed"),
    ],
)
def test_cancel_after_the_end_is_refused(last: Event, ending: str | None) -> None:
    with pytest.raises(AlreadyEnded) as error:
        decide(CANCEL, given_events(OF.requested(), last))

    assert error.value.ending == ending


def test_first_ending_is_final() -> None:
    ended = given_events(OF.requested(), OF.failed(), OF.late_result(), OF.stored())

    assert ended.ending == "failed"
