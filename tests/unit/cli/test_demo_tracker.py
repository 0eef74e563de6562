"""The demonstration's view of its generations, from events alone."""

import dataclasses
import itertools

import pytest

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.demo.tracker import GenerationTracker, TrackedGeneration
from telecine_contracts import Event
from telecine_contracts.access import ApiKeyCreated
from telecine_contracts.credits import (
    CreditsDebited,
    CreditsDenied,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
)
from telecine_contracts.examples import envelope, example
from telecine_contracts.gateway import GenerationRequested, Kind
from telecine_contracts.generation import GenerationCancelled, GenerationFailed
from telecine_contracts.storage import VideoStored

ACCOUNT = example(GenerationRequested).about["account"]


def about_one(*events: type[Event]) -> list[RecordedEvent]:
    """Examples, as if all were about one generation and each had caused the next."""
    changed: list[RecordedEvent] = []
    for number, event in enumerate(events, 1):
        known = example(event)
        update = {"generation": "g1"} if "generation" in type(known).model_fields else {}
        own = envelope(known)
        cause = changed[-1].envelope.id if changed else own.id
        linked = dataclasses.replace(own, causation=cause)
        changed.append(RecordedEvent(known.model_copy(update=update), linked, number))
    return changed


def journey(*events: type[Event]) -> TrackedGeneration:
    journeys = GenerationTracker(ACCOUNT)
    begun = journeys.begin("g1", Kind.TEXT_TO_VIDEO)
    for recorded in about_one(*events):
        journeys.add(recorded)
    return begun


def test_a_generation_is_over_when_its_video_is_stored_and_settled() -> None:
    going_on = journey(GenerationRequested, CreditsDebited, VideoStored)
    assert not going_on.over
    done = journey(GenerationRequested, CreditsDebited, VideoStored, CreditsSettled)
    assert done.over
    assert done.stored is not None
    assert (done.failure, done.cost) == (None, 50)


def test_the_two_streams_may_arrive_in_any_order() -> None:
    requested, debited, stored, settled = about_one(
        GenerationRequested, CreditsDebited, VideoStored, CreditsSettled
    )
    for order in interleavings((requested, stored), (debited, settled)):
        journeys = GenerationTracker(ACCOUNT)
        begun = journeys.begin("g1", Kind.TEXT_TO_VIDEO)
        for recorded in order:
            assert not begun.over
            journeys.add(recorded)
        assert begun.over
        assert begun.stored is not None


def interleavings(
    left: tuple[RecordedEvent, ...], right: tuple[RecordedEvent, ...]
) -> list[list[RecordedEvent]]:
    """Every way in which two streams can arrive, each in its own order."""
    size = len(left) + len(right)
    merged = []
    for places in itertools.combinations(range(size), len(left)):
        ours, theirs = iter(left), iter(right)
        merged.append([next(ours) if place in places else next(theirs) for place in range(size)])
    return merged


@pytest.mark.parametrize("end", [GenerationFailed, GenerationCancelled])
def test_a_generation_without_a_video_costs_nothing(end: type[Event]) -> None:
    ended = journey(GenerationRequested, CreditsDebited, end, CreditsRefunded)
    assert ended.over
    assert ended.cost == 0
    assert ended.failure


def test_a_denied_generation_is_over_and_names_the_missing_credits() -> None:
    denied = journey(GenerationRequested, CreditsDenied)
    assert denied.over
    assert denied.failure is not None
    assert "credits" in denied.failure
    assert denied.cost == 0


def test_events_that_arrive_before_the_generation_is_known_are_kept() -> None:
    journeys = GenerationTracker(ACCOUNT)
    for recorded in about_one(GenerationRequested, CreditsDebited):
        assert journeys.add(recorded)
    begun = journeys.begin("g1", Kind.TEXT_TO_VIDEO)
    assert len(begun.events) == 2
    assert begun.last is begun.events[-1]


def test_the_ledger_contains_grants_and_no_entries_of_other_accounts() -> None:
    journeys = GenerationTracker(ACCOUNT)
    [grant, debit, key] = about_one(CreditsGranted, CreditsDebited, ApiKeyCreated)
    foreign = RecordedEvent(grant.event.model_copy(update={"account": "other"}), grant.envelope, 9)
    assert [journeys.add(each) for each in (grant, debit, key, foreign)] == [True, True, True, False]
    assert journeys.ledger == [grant, debit]
