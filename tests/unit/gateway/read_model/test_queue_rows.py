"""The tables give each generation that waits the position that the rules of the queue give it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import create_engine

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import RowCache, Rows
from telecine_contracts import Event
from telecine_contracts.dispatch import GenerationDispatched, QueueEntered, QueueLeft
from telecine_contracts.dispatch_queue import DispatchQueue, evolve_queue
from telecine_contracts.examples import envelope
from telecine_gateway.read_model.projections import METADATA, PROJECTIONS
from telecine_gateway.read_model.queries import Queries

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
[QUEUE] = [projection for projection in PROJECTIONS if projection.name == "queue"]


def history(random: Random) -> Iterator[Event]:
    """Entries, turns and cancellations in any order, for one model."""
    queue = DispatchQueue()
    for number in range(60):
        about = {"model": "m", "at": NOON}
        following = queue.next(None, None)
        if following is None or random.random() < 0.5:
            account, generation = random.choice("abc"), f"g{number}"
            event: Event = QueueEntered(
                **about, account=account, generation=generation, priority=random.randrange(3)
            )
        elif random.random() < 0.7:
            event = GenerationDispatched(**about, account=following[0], generation=following[1])
        else:
            account = random.choice(queue.rotation)
            event = QueueLeft(
                **about, account=account, generation=random.choice(queue.waiting[account]).generation
            )
        queue = evolve_queue(queue, event)
        yield event


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('tables')}/gateway.db")
    yield engine
    engine.dispose()


def test_positions_are_those_of_the_queue(engine: Engine) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.randoms(use_true_random=False))
    def compare(random: Random) -> None:
        METADATA.drop_all(engine)
        METADATA.create_all(engine)
        queries, queue = Queries(lambda: engine), DispatchQueue()
        events = list(history(random))
        with engine.execution_options(write=True).begin() as connection:
            recorded = [RecordedEvent(each, envelope(each), number) for number, each in enumerate(events, 1)]
            QUEUE.apply_all(Rows(RowCache(engine), connection), recorded)
        for event in events:
            queue = evolve_queue(queue, event)
        for event in events:
            if isinstance(event, QueueEntered):
                expected = queue.position(event.account, event.generation)
                assert asyncio.run(queries.queue_position(event.generation)) == expected

    compare()
