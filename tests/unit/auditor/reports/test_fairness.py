"""What the queue decides is fair by the auditor's own rule; a planted jump, and a place too many, are found."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telecine_auditor.reports.fairness import FairnessCheck
from telecine_auditor.sources.message import StoredMessage
from telecine_contracts import Event, encode, subjects
from telecine_contracts.dispatch import GenerationDispatched, QueueEntered
from telecine_contracts.dispatch_queue import DispatchQueue, evolve_queue
from telecine_generation.rules.dispatch import DispatchNext, Enter, Leave, Lower, Places, decide_queue

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def checked(events: list[Event], *, first: int = 1) -> FairnessCheck:
    check = FairnessCheck()
    for number, event in enumerate(events, first):
        check.take(StoredMessage(number, 0, subjects.of_event(event), b"", encode(event)))
    assert check.unreadable == 0
    return check


def history(random: Random, places: Places) -> list[Event]:
    """What the rules of the service make of requests, ends and refusals of the provider in any order."""
    queue, events, now, number = DispatchQueue(), list[Event](), NOON, 0
    for _ in range(60):
        now += timedelta(seconds=1)
        match random.randrange(6):
            case 0 | 1:
                number += 1
                command: Enter | DispatchNext | Leave | Lower = Enter(
                    model="m",
                    account=random.choice("abc"),
                    generation=f"g{number}",
                    priority=random.randrange(3),
                    places=places,
                    now=now,
                )
            case 2 if queue.running:
                generation, account = random.choice(list(queue.running.items()))
                command = Leave(model="m", account=account, generation=generation, now=now)
            case 3 if queue.rotation:
                account = random.choice(queue.rotation)
                waits = random.choice(queue.waiting[account])
                command = Leave(model="m", account=account, generation=waits.generation, now=now)
            case 4:
                command = Lower(model="m", now=now, until=now + timedelta(seconds=random.randrange(9)))
            case _:
                command = DispatchNext(model="m", places=places, now=now)
        event = decide_queue(command, queue)
        if event is not None:
            events.append(event)
            queue = evolve_queue(queue, event)
    return events


@given(st.randoms(use_true_random=False), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 2)))
def test_what_the_service_decides_is_fair(random: Random, limit: int, account_limit: int | None) -> None:
    assert checked(history(random, Places(limit, account_limit))).violations == []


def entered(account: str, generation: str, seconds: int = 0) -> QueueEntered:
    at = NOON + timedelta(seconds=seconds)
    return QueueEntered(model="m", at=at, account=account, generation=generation)


def dispatched(account: str, generation: str, seconds: int = 0, limit: int = 9) -> GenerationDispatched:
    at = NOON + timedelta(seconds=seconds)
    return GenerationDispatched(model="m", at=at, account=account, generation=generation, limit=limit)


def test_a_jump_is_found_whether_it_waited_or_not() -> None:
    waiting: list[Event] = [entered("ann", "a1"), entered("ann", "a2"), entered("bob", "b")]
    for jump in (dispatched("bob", "b"), dispatched("ann", "a2"), dispatched("eve", "e")):
        [found] = checked([*waiting, jump]).violations
        assert (found.sequence, found.message) == (4, "jumped the queue: a1 of ann was next")
    in_turn = [dispatched("ann", "a1"), dispatched("bob", "b"), dispatched("ann", "a2")]
    assert checked([*waiting, *in_turn]).violations == []


def test_places_beyond_the_limit_and_a_second_place_are_found() -> None:
    first, second = dispatched("ann", "a", limit=1), dispatched("bob", "b", limit=1)
    assert [each.message for each in checked([first, second]).violations] == [
        "got a place although all 1 were occupied"
    ]
    again = checked([dispatched("ann", "a"), dispatched("ann", "a")]).violations
    assert [each.message for each in again] == ["has a place already"]


def test_waits_are_measured_and_what_still_waits_is_listed() -> None:
    check = checked([entered("ann", "a"), entered("bob", "b", 5), dispatched("ann", "a", 30)])
    turns = check.turns["m", "ann"]
    assert (turns.dispatched, turns.waited, turns.longest) == (1, 1, timedelta(seconds=30))
    assert [generation for _, _, generation, _ in check.waiting()] == ["b"]


def test_a_stream_that_lost_its_beginning_makes_no_accusation_without_evidence() -> None:
    events: list[Event] = [entered("ann", "a"), dispatched("bob", "entered before")]
    assert checked(events).violations != []
    assert checked(events, first=1000).violations == []
    assert checked(events, first=1000).is_partial
