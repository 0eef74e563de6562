"""What every event store does: the twin in memory, and JetStream; and what only JetStream can do wrong."""

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_chassis.eventstore import jetstream as jetstream_module
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import AppendRejected, Conflict, EventStore, Unavailable
from telecine_chassis.nats.connection import connect
from telecine_chassis.testing import InMemoryEventStore
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.credits import Balances, CreditsGranted, GrantKind
from telecine_contracts.gateway import CancelRequested
from telecine_jetstream.client import NatsClient

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def granted(account: str, entry: int = 1, reason: str = "") -> CreditsGranted:
    return CreditsGranted(
        account=account,
        entry=entry,
        postings=(),
        balances=Balances(available=entry, held=0),
        amount=1,
        kind=GrantKind.PAID,
        reference=f"r{entry}",
        reason=reason,
    )


def cancelled(account: str, generation: str) -> CancelRequested:
    return CancelRequested(account=account, generation=generation)


def envelope(event: Event, *, id: str = "", correlation: str = "c", causation: str = "k") -> Envelope:
    return Envelope(
        id=id or secrets.token_hex(8),
        source="telecine/tests",
        type=event.type,
        time=NOON,
        subject=subjects.of_event(event),
        correlation=correlation,
        causation=causation,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


async def put(store: EventStore, event: Event, expected: int, id: str = "") -> int:
    of = subjects.ledger if event.stream == "LEDGER" else subjects.video
    return await store.append(
        event, envelope(event, id=id), aggregate=of(*event.aggregate), expected=expected
    )


async def entries(store: EventStore, account: str, after: int = 0) -> list[int]:
    """The entry numbers of what is loaded."""
    loaded = await store.load(subjects.ledger(account), after=after)
    return [found.event.entry for found in loaded if isinstance(found.event, CreditsGranted)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def connection(server: NatsServer) -> AsyncIterator[NatsClient]:
    client = await connect(server.url, "tests")
    await provision(client)
    yield client
    await client.close()


@pytest.fixture
def jetstream(connection: NatsClient) -> EventStore:
    return JetStreamEventStore(connection, registry())


@pytest.fixture(params=["memory", pytest.param("jetstream", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return InMemoryEventStore(registry())
    jetstream: EventStore = request.getfixturevalue("jetstream")
    return jetstream


@pytest.fixture
def account() -> str:
    """A name of its own for every test: the server is shared."""
    return f"a{secrets.token_hex(4)}"


async def test_nothing_is_there_at_first(store: EventStore, account: str) -> None:
    assert list(await store.load(subjects.ledger(account))) == []
    assert list(await store.load(subjects.video(account, "g1"))) == []


async def test_an_appended_event_is_loaded_unchanged(store: EventStore, account: str) -> None:
    event = granted(account)
    about = envelope(event)
    sequence = await store.append(event, about, aggregate=subjects.ledger(account), expected=0)
    (loaded,) = await store.load(subjects.ledger(account))
    assert (loaded.event, loaded.envelope, loaded.sequence) == (event, about, sequence)


async def test_events_come_in_the_order_of_their_append(store: EventStore, account: str) -> None:
    other = f"{account}-other"
    version = other_version = 0
    for number in range(1, 6):
        version = await put(store, granted(account, number), version)
        other_version = await put(store, granted(other, number), other_version)
    loaded = await store.load(subjects.ledger(account))
    sequences = [found.sequence for found in loaded]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == version
    assert await entries(store, account) == [1, 2, 3, 4, 5]


async def test_loading_starts_after_a_sequence(store: EventStore, account: str) -> None:
    first = await put(store, granted(account, 1), 0)
    second = await put(store, granted(account, 2), first)
    other = await put(store, granted(f"{account}-other"), 0)
    third = await put(store, granted(account, 3), second)
    assert await entries(store, account, after=first) == [2, 3]
    assert await entries(store, account, after=other) == [3]
    assert await entries(store, account, after=third) == []
    assert await entries(store, account, after=third + 1000) == []


@pytest.mark.parametrize("off", [-1, 1])
async def test_a_version_that_is_not_the_last_is_a_conflict(
    store: EventStore, account: str, off: int
) -> None:
    first = await put(store, granted(account, 1), 0)
    second = await put(store, granted(account, 2), first)
    with pytest.raises(Conflict):
        await put(store, granted(account, 3), second + off)
    with pytest.raises(Conflict):
        await put(store, granted(account, 3), 0)
    assert await entries(store, account) == [1, 2]


async def test_a_new_aggregate_has_version_0(store: EventStore, account: str) -> None:
    with pytest.raises(Conflict):
        await put(store, granted(account), 1)
    assert await entries(store, account) == []


async def test_any_event_of_an_aggregate_is_its_version(store: EventStore, account: str) -> None:
    first = await put(store, cancelled(account, "g1"), 0)
    with pytest.raises(Conflict):
        await put(store, cancelled(account, "g1"), 0)
    await put(store, cancelled(account, "g2"), 0)
    await put(store, cancelled(account, "g1"), first)


async def test_aggregates_with_similar_names_are_separate(store: EventStore, account: str) -> None:
    names = [account, f"{account}x", f"{account}-x", f"{account}_", account.upper(), f"x{account}"]
    for number, name in enumerate(names, start=1):
        await put(store, granted(name, number), 0)
        await put(store, cancelled(name, "g"), 0)
        await put(store, cancelled(name, "g1"), 0)
    for number, name in enumerate(names, start=1):
        assert await entries(store, name) == [number]
        for generation in ("g", "g1"):
            (found,) = await store.load(subjects.video(name, generation))
            assert found.event == cancelled(name, generation)


async def test_an_exact_retry_is_a_conflict_and_the_first_stays(store: EventStore, account: str) -> None:
    first = await put(store, granted(account, 1), 0, id=f"{account}-1")
    with pytest.raises(Conflict):
        await put(store, granted(account, 2), 0, id=f"{account}-1")
    (found,) = await store.load(subjects.ledger(account))
    assert (found.sequence, found.envelope.id) == (first, f"{account}-1")
    assert found.event == granted(account, 1)


async def test_an_id_that_was_used_before_is_never_taken_again(store: EventStore, account: str) -> None:
    first = await put(store, granted(account, 1), 0, id=f"{account}-1")
    with pytest.raises(AppendRejected, match=r"credits\.granted\.v1"):
        await put(store, granted(account, 2), first, id=f"{account}-1")
    assert await entries(store, account) == [1]
    assert await put(store, granted(account, 2), first) > first


async def test_an_id_of_another_aggregate_is_never_taken(store: EventStore, account: str) -> None:
    await put(store, granted(account), 0, id=f"{account}-1")
    with pytest.raises(AppendRejected):
        await put(store, granted(f"{account}-other"), 0, id=f"{account}-1")
    assert await entries(store, f"{account}-other") == []


async def test_histories_of_several_pages_are_loaded_whole(
    store: EventStore, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream_module, "PAGE_SIZE", 5)
    version = 0
    for number in range(1, 12):
        version = await put(store, granted(account, number), version)
        assert await entries(store, account) == list(range(1, number + 1))


async def test_any_text_survives(store: EventStore, account: str) -> None:
    text = 'Grüße, 雨 🎬 100% "sure"\r\n\ttab \\ \x7f'
    event = granted(account, reason=text)
    about = envelope(event, correlation=text, causation="%41 %")
    await store.append(event, about, aggregate=subjects.ledger(account), expected=0)
    (found,) = await store.load(subjects.ledger(account))
    assert (found.event, found.envelope) == (event, about)


# JetStream alone


@pytest.mark.parametrize("size", [256 * 1024 - 300, 256 * 1024, 300 * 1024])
async def test_an_event_that_is_too_large_is_refused(
    jetstream: EventStore, connection: NatsClient, account: str, size: int
) -> None:
    with pytest.raises(AppendRejected, match=r"credits\.granted\.v1"):
        await put(jetstream, granted(account, reason="x" * size), 0)
    assert connection.is_connected
    assert await entries(jetstream, account) == []
    await put(jetstream, granted(account, reason="x" * 200_000), 0)


async def test_large_events_are_loaded_whole(jetstream: EventStore, account: str) -> None:
    version = 0
    for number in range(1, 41):
        version = await put(jetstream, granted(account, number, reason="x" * 200_000), version)
    assert await entries(jetstream, account) == list(range(1, 41))


async def test_missing_streams_are_unavailable(nats: NatsServer, account: str) -> None:
    client = await connect(nats.url, "tests")
    store = JetStreamEventStore(client, registry(), timeout=0.5)
    with pytest.raises(Unavailable):
        await put(store, granted(account), 0)
    with pytest.raises(Unavailable):
        await store.load(subjects.ledger(account))
    await client.close()


async def test_an_outage_is_unavailable_and_the_append_may_still_be_stored(
    nats: NatsServer, account: str
) -> None:
    client = await connect(nats.url, "tests")
    await provision(client)
    store = JetStreamEventStore(client, registry(), timeout=0.3)
    first = await put(store, granted(account, 1), 0)
    nats.kill()
    await eventually(lambda: not client.is_connected)
    with pytest.raises(Unavailable):
        await store.load(subjects.ledger(account))
    with pytest.raises(Unavailable):
        await put(store, granted(account, 2), first, id=f"{account}-ghost")

    await nats.start()
    await eventually(lambda: client.is_connected)

    with pytest.raises(Conflict):
        await put(store, granted(account, 2), first, id=f"{account}-ghost")
    assert await entries(store, account) == [1, 2]
    await client.close()
