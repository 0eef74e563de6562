"""However events are divided into transactions, every table of every service ends with the same rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from tests.support.data.ledger_histories import execute_history, histories
from tests.support.data.video_events import NOW, GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections import rows
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowCache, Rows
from telecine_chassis.projections.slots import Slots
from telecine_contracts import Envelope, Event
from telecine_contracts.access import ApiKeyAdded, ApiKeyCreated, ApiKeyRevoked, ApiKeyUsed
from telecine_contracts.dispatch import GenerationDispatched, QueueEntered, QueueLeft
from telecine_contracts.erasure import AccountErased
from telecine_contracts.examples import example
from telecine_contracts.price_catalog import PricesPublished
from telecine_contracts.subjects import of_event
from telecine_credits.read_model import projections as credits
from telecine_credits.read_model import tables as credits_tables
from telecine_gateway.read_model import projections as gateway
from telecine_gateway.read_model import tables as gateway_tables
from telecine_generation.read_model import projections as generation
from telecine_generation.read_model import tables as generation_tables
from telecine_storage.read_model import projections as storage
from telecine_storage.read_model import tables as storage_tables

SERVICES = {
    "credits": (credits, credits_tables),
    "gateway": (gateway, gateway_tables),
    "generation": (generation, generation_tables),
    "storage": (storage, storage_tables),
}
STOPGAP = "https://provider.example.com/x.mp4"


def video_events(of: GenerationEvents) -> list[Event]:
    return [
        of.requested(),
        of.requested(prompt="a\0b"),
        of.started(),
        of.submitted(),
        of.progressed("queued"),
        of.progressed(),
        of.ready(),
        of.stored(),
        of.stored(size=2**40),
        of.not_stored(),
        of.not_stored(STOPGAP, NOW),
        of.failed(),
        of.cancel_requested(),
        of.cancel_declined(),
        of.cancelled(),
        of.late_result(),
    ]


GENERATIONS = [GenerationEvents(account, f"{account}-{number}") for account in "ab" for number in range(3)]
KEYS = [
    ApiKeyCreated(account=account, key_id=key, key_sha256=f"{number:064}", name="n", scopes=scopes)
    for number, (account, key, scopes) in enumerate(
        [("a", "k1", None), ("a", "k1", ("read",)), ("a", "k2", None), ("b", "k1", None)]
    )
]
ROTATIONS = [
    ApiKeyAdded(
        account=account,
        key_id="k3",
        key_sha256=f"{number:064}",
        name="n",
        expires_at=NOW + timedelta(days=9 - number),
        replaces=key,
        replaced_until=NOW + timedelta(days=number),
    )
    for number, (account, key) in enumerate([("a", "k1"), ("a", "k2"), ("a", "k3"), ("b", "k1")], 4)
]
USES = [
    ApiKeyUsed(account=account, key_id=key, used_at=NOW + timedelta(days=day))
    for day in (1, 2)
    for account in "ab"
    for key in ("k1", "k3")
]
REVOCATIONS = [ApiKeyRevoked(account=account, key_id=key) for account in "ab" for key in ("k1", "k2")]
QUEUE_EVENTS = [
    make(model=model, at=NOW, account=account, generation=f"{account}-{number}")
    for make in (QueueEntered, GenerationDispatched, QueueLeft)
    for model in ("m1", "m2")
    for account in "ab"
    for number in range(2)
]
ERASURES = [AccountErased(account=account, generations=1, ledger_sequence=1) for account in "ab"]
STREAMS: dict[str, st.SearchStrategy[Sequence[Event]]] = {
    "VIDEO": st.lists(
        st.sampled_from([*ERASURES, *(event for one in GENERATIONS for event in video_events(one))]),
        max_size=60,
    ),
    "LEDGER": histories.map(lambda history: execute_history(history)[0]),
    "ACCESS": st.lists(st.sampled_from([*KEYS, *ROTATIONS, *USES, *REVOCATIONS]), max_size=12),
    "CATALOG": st.lists(st.just(example(PricesPublished)), max_size=3),
    "QUEUE": st.lists(st.sampled_from(QUEUE_EVENTS), max_size=40),
}


def recorded(events: Sequence[Event]) -> list[RecordedEvent]:
    return [_recorded(event, number) for number, event in enumerate(events, 1)]


def _recorded(event: Event, number: int) -> RecordedEvent:
    envelope = Envelope(
        id=f"e{number}",
        source="test",
        type=event.type,
        time=NOW + timedelta(seconds=number, microseconds=number),
        subject=of_event(event),
        correlation="c",
        causation="c",
        traceparent=f"00-{number}" if number % 2 else None,
    )
    return RecordedEvent(event, envelope, 2 * number)


@dataclass(frozen=True)
class Tables:
    """New tables of a service for each history."""

    slots: Slots
    projection: Projection
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def after(
        self, events: Sequence[RecordedEvent], sizes: Iterator[int]
    ) -> dict[str, list[tuple[Any, ...]]]:
        """Every row after the events, in transactions of so many; what can't be applied is left out."""
        number = next(self.numbers)
        engine = self.slots.open(number)
        cache = RowCache(engine)
        try:
            while events:
                size = next(sizes)
                self._apply(engine, cache, events[:size])
                events = events[size:]
            with engine.connect() as connection:
                return {
                    name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                    for name, table in self.slots.metadata.tables.items()
                }
        finally:
            engine.dispose()
            self.slots.drop(number)

    def _apply(self, engine: Engine, cache: RowCache, events: Sequence[RecordedEvent]) -> None:
        try:
            with engine.execution_options(write=True).begin() as connection:
                self.projection.apply_all(Rows(cache, connection), events)
        except (IntegrityError, LookupError):
            cache.forget()
            if len(events) > 1:
                for event in events:
                    self._apply(engine, cache, [event])


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tables.db"
    return str(request.getfixturevalue("postgres").new_database())


CASES = [
    pytest.param(tables, projection, id=f"{service}-{projection.name}")
    for service, (projections, tables) in SERVICES.items()
    for projection in projections.PROJECTIONS
]


@pytest.mark.parametrize(("tables", "projection"), CASES)
def test_transactions_of_any_size_give_the_same_rows(
    url: str, tables: ModuleType, projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Tables(Slots(url, tables.METADATA, tables.VERSION), projection)

    @settings(max_examples=10)
    @given(
        STREAMS[projection.stream.name],
        st.lists(st.integers(1, 40), min_size=1),
        st.sampled_from([1, 2, 1000]),
    )
    def compare(events: Sequence[Event], sizes: list[int], kept: int) -> None:
        known = [
            one
            for one in recorded(events)
            if not projection.events or isinstance(one.event, projection.events)
        ]
        one_by_one = made.after(known, iter(lambda: 1, 0))
        monkeypatch.setattr(rows, "KEPT", kept)
        assert made.after(known, _repeated(sizes)) == one_by_one

    compare()


def _repeated(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


def test_a_transaction_takes_as_many_statements_for_many_events_as_for_few(tmp_path: Path) -> None:
    few, many = (statements_for(count, tmp_path / f"{count}.db") for count in (2, 64))
    assert few == many


def statements_for(number: int, file: Path) -> list[str]:
    """The first words of the statements that apply the first events of so many generations, and then the next ones."""
    engine = Slots(f"sqlite:///{file}", gateway_tables.METADATA, 1).open(1)
    generations = [GenerationEvents("a", f"g{one}") for one in range(number)]
    projection = gateway.PROJECTIONS[0]
    told: list[str] = []
    steps: list[Callable[[GenerationEvents], Event]] = [
        GenerationEvents.requested,
        GenerationEvents.submitted,
    ]
    for step in steps:
        with engine.begin() as connection:
            connection.connection.set_trace_callback(told.append)
            events = [_recorded(step(one), at + 1000 * len(told)) for at, one in enumerate(generations, 1)]
            projection.apply_all(Rows(RowCache(engine), connection), events)
            connection.connection.set_trace_callback(None)
    engine.dispose()
    return [" ".join(text.split()[:3]) for text in told]
