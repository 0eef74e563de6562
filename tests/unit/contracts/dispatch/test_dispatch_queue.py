"""The dispatch queue: accounts take turns, priorities count within an account, places are never exceeded."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts import Event
from telecine_contracts.dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from telecine_contracts.dispatch_queue import DispatchQueue, evolve_queue

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
ACCOUNTS = ("ann", "bob", "cid")


def entered(account: str, generation: str, priority: int = 0) -> QueueEntered:
    return QueueEntered(model="m", at=NOON, account=account, generation=generation, priority=priority)


def dispatched(account: str, generation: str) -> GenerationDispatched:
    return GenerationDispatched(model="m", at=NOON, account=account, generation=generation)


def left(account: str, generation: str) -> QueueLeft:
    return QueueLeft(model="m", at=NOON, account=account, generation=generation)


def queue_after(*events: Event) -> DispatchQueue:
    queue = DispatchQueue()
    for event in events:
        queue = evolve_queue(queue, event)
    return queue


def order(queue: DispatchQueue, account_limit: int | None = None) -> list[str]:
    """Generations in the order in which they are dispatched, each of which ends at once."""
    found = []
    while (following := queue.next(1, account_limit)) is not None:
        found.append(following[1])
        queue = queue_after_more(queue, dispatched(*following), left(*following))
    return found


def queue_after_more(queue: DispatchQueue, *events: Event) -> DispatchQueue:
    for event in events:
        queue = evolve_queue(queue, event)
    return queue


def test_an_account_that_submits_a_thousand_delays_another_by_one_turn() -> None:
    queue = queue_after(*(entered("ann", f"a{number}") for number in range(1000)), entered("bob", "b"))
    assert order(queue)[:3] == ["a0", "b", "a1"]
    assert queue.position("bob", "b") == 2
    assert queue.position("ann", "a999") == 1001


def test_within_an_account_priority_comes_first_and_then_the_order_of_entry() -> None:
    queue = queue_after(
        entered("ann", "1"), entered("ann", "2", 5), entered("ann", "3", 5), entered("bob", "b")
    )
    assert order(queue) == ["2", "b", "3", "1"]


def test_nothing_is_dispatched_without_a_free_place() -> None:
    queue = queue_after(dispatched("ann", "1"), entered("ann", "2"), entered("bob", "b"))
    assert queue.next(1, None) is None
    assert queue.next(2, None) == ("ann", "2")
    assert queue.next(2, 1) == ("bob", "b"), "ann has all the places she may have, and keeps her turn"
    assert not queue.has_room("cid", 2, None), "others go before"
    assert queue_after(dispatched("ann", "1")).has_room("ann", 2, 2)
    assert not queue_after(dispatched("ann", "1")).has_room("ann", 2, 1)
    assert queue_after(dispatched("ann", "1"), entered("ann", "2")).has_room("bob", 2, 1)


def test_a_generation_that_leaves_while_it_waits_costs_its_account_no_turn() -> None:
    queue = queue_after(entered("ann", "1"), entered("ann", "2"), entered("bob", "b"), left("ann", "1"))
    assert order(queue) == ["2", "b"]
    assert queue_after(entered("ann", "1"), left("ann", "1")).rotation == ()


def test_places_are_fewer_until_the_provider_has_recovered() -> None:
    lowered = CapacityLowered(model="m", at=NOON, limit=2, until=NOON + timedelta(seconds=60))
    queue = queue_after(lowered)
    assert [queue.limit_at(NOON, limit) for limit in (10, 1, None)] == [2, 1, 2]
    assert queue.limit_at(NOON + timedelta(seconds=60), 10) == 10


@given(
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.integers(0, 2)), max_size=30),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 3)),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_everything_is_dispatched_once_within_the_places_and_in_turns(
    requests: list[tuple[str, int]], limit: int, account_limit: int | None, random: object
) -> None:
    queue, done, running = DispatchQueue(), list[str](), list[tuple[str, str]]()
    wanted = [
        (account, f"{account}{number}", priority) for number, (account, priority) in enumerate(requests)
    ]
    owner = {generation: account for account, generation, _ in wanted}
    left_over = list(wanted)
    while left_over or queue.rotation or running:
        action = random.random()  # type: ignore[attr-defined]
        if left_over and action < 0.5:
            account, generation, priority = left_over.pop(0)
            if queue.has_room(account, limit, account_limit):
                queue = evolve_queue(queue, dispatched(account, generation))
                done.append(generation)
                running.append((account, generation))
            else:
                queue = evolve_queue(queue, entered(account, generation, priority))
        elif (following := queue.next(limit, account_limit)) is not None:
            place = queue.position(*following)
            assert account_limit is not None or place == 1
            queue = evolve_queue(queue, dispatched(*following))
            done.append(following[1])
            running.append(following)
        elif running:
            queue = evolve_queue(queue, left(*running.pop(0)))
        assert len(queue.running) <= limit
        if account_limit is not None:
            assert all(list(queue.running.values()).count(account) <= account_limit for account in ACCOUNTS)
        assert set(queue.rotation) == set(queue.waiting)
    assert sorted(done) == sorted(owner)
    assert len(done) == len(wanted)
