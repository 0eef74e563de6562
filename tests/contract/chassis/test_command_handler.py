"""Commands are carried out exactly once, over every event store, whatever the store and other replicas do."""

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from tests.support.environments.unreliable_store import StoreFault, UnreliableStore
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_chassis.eventstore import command_handler as commands
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import Conflict, EventStore, RecordedEvent, Unavailable
from telecine_chassis.nats.connection import connect
from telecine_chassis.testing import InMemoryEventStore, ManualClock
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, Event, derive_id, registry, subjects
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind, LedgerEvent
from telecine_contracts.pricing import Price
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Debit, Refund, Settle, TimedCommand
from telecine_credits.rules.decider import decide
from telecine_credits.rules.errors import NotDebited

Ledger = CommandHandler[TimedCommand, Account]
PATIENCE = 0.3
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture(params=["memory", pytest.param("jetstream", marks=pytest.mark.server)])
def server_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a NATS server, or None for the in-memory twin."""
    # Not in an async fixture: the server's own fixture runs an event loop.
    if request.param == "memory":
        return None
    server: NatsServer = request.getfixturevalue("server")
    return server.url


@pytest.fixture
async def stores(server_url: str | None) -> AsyncIterator[list[EventStore]]:
    """The same store as two replicas see it."""
    async with AsyncExitStack() as stack:
        if server_url is None:
            yield [InMemoryEventStore(registry())] * 2
            return
        replicas: list[EventStore] = []
        for name in ("one", "two"):
            client = await connect(server_url, name)
            stack.push_async_callback(client.close)
            await provision(client)
            replicas.append(JetStreamEventStore(client, registry()))
        yield replicas


@pytest.fixture
def store(stores: list[EventStore]) -> EventStore:
    return stores[0]


@pytest.fixture
def name() -> str:
    """An account of its own for every test: the server is shared."""
    return f"a{secrets.token_hex(4)}"


def ledger_over(store: EventStore, *, assume_new: bool = False) -> Ledger:
    return CommandHandler(
        store,
        Decider(Account(), decide, evolve),
        source="telecine/credits",
        clock=ManualClock(),
        assume_new=assume_new,
        timeout=PATIENCE,
    )


def cause(name: str, id: str) -> Cause:
    """Ids are unique on a server, so the account is part of them."""
    return Cause(f"{name} {id}", f"request {id} of {name}")


def grant(name: str, amount: int = 100, reference: str = "r1") -> TimedCommand:
    return TimedCommand(
        GrantCredits(account=name, amount=amount, kind=GrantKind.PAID, reference=reference), NOW
    )


def debit(name: str, generation: str = "g1", credits: int = 10) -> TimedCommand:
    price = Price(credits=credits, table="t", resolution="720p", duration=5)
    return TimedCommand(Debit(account=name, generation=generation, price=price), NOW)


def settle(name: str, generation: str = "g1") -> TimedCommand:
    return TimedCommand(Settle(account=name, generation=generation), NOW)


async def actions(store: EventStore, name: str) -> list[str]:
    return [found.event.action for found in await store.load(subjects.ledger(name))]


async def funded(store: EventStore, name: str, amount: int = 100) -> None:
    await ledger_over(store).handle(subjects.ledger(name), grant(name, amount), cause(name, f"grant {name}"))


# One writer


async def test_what_was_decided_is_appended_with_its_cause(store: EventStore, name: str) -> None:
    outcome = await ledger_over(store).handle(
        subjects.ledger(name), grant(name), Cause(f"{name} cause", "request", TRACE)
    )
    (stored,) = await store.load(subjects.ledger(name))
    assert outcome.event == stored
    assert outcome.state == evolve(Account(), stored.event)
    id = derive_id(f"{name} cause", "credits.granted.v1")
    assert stored.envelope == Envelope(
        id=id,
        source="telecine/credits",
        type="credits.granted.v1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject=f"ledger.{name}.granted",
        correlation="request",
        causation=f"{name} cause",
        traceparent=f"00-4bf92f3577b34da6a3ce929d0e0e4736-{id.replace('-', '')[:16]}-01",
    )


async def test_the_default_cause_is_the_last_event(store: EventStore, name: str) -> None:
    ledger = ledger_over(store)
    first = (await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))).event
    second = (await ledger.handle(subjects.ledger(name), debit(name))).event
    assert first is not None
    assert second is not None
    assert (second.envelope.causation, second.envelope.correlation) == (
        first.envelope.id,
        f"request one of {name}",
    )


async def test_a_new_aggregate_needs_a_cause(store: EventStore, name: str) -> None:
    with pytest.raises(ValueError, match="needs a cause"):
        await ledger_over(store).handle(subjects.ledger(name), grant(name))


@pytest.mark.parametrize("assume_new", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
async def test_the_same_cause_again_changes_nothing(
    store: EventStore, name: str, assume_new: bool, restarted: bool
) -> None:
    ledger = ledger_over(store, assume_new=assume_new)
    first = await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    if restarted:
        ledger = ledger_over(store, assume_new=assume_new)
    again = await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert again.state == first.state
    assert again.event in (None, first.event)
    assert await actions(store, name) == ["granted"]


@pytest.mark.parametrize("assume_new", [False, True])
async def test_a_refusal_is_raised_and_nothing_is_appended(
    store: EventStore, name: str, assume_new: bool
) -> None:
    await funded(store, name)
    ledger = ledger_over(store, assume_new=assume_new)
    for _ in range(2):
        with pytest.raises(NotDebited):
            await ledger.handle(subjects.ledger(name), settle(name), cause(name, "one"))
    assert await actions(store, name) == ["granted"]


async def test_the_state_can_be_read(store: EventStore, name: str) -> None:
    ledger = ledger_over(store)
    assert await ledger.read(subjects.ledger(name)) == Account()
    await funded(store, name)
    assert (await ledger.read(subjects.ledger(name))).available == 100


# Many at once


async def test_concurrent_debits_never_overdraw(store: EventStore, name: str) -> None:
    await funded(store, name, 205)
    ledger = ledger_over(store)
    names = [f"g{n}" for n in range(50)]
    await asyncio.gather(
        *(ledger.handle(subjects.ledger(name), debit(name, g), cause(name, g)) for g in names)
    )
    assert Counter(await actions(store, name)) == {"granted": 1, "debited": 20, "denied": 30}
    assert_sound(await store.load(subjects.ledger(name)), available=5, held=200)


async def test_two_replicas_that_compete_decide_everything_once(stores: list[EventStore], name: str) -> None:
    await funded(stores[0], name, 105)
    replicas = [ledger_over(store) for store in stores]
    names = [f"g{n}" for n in range(20)]
    await asyncio.gather(
        *(
            replica.handle(subjects.ledger(name), debit(name, generation), cause(name, generation))
            for generation in names
            for replica in replicas
        )
    )
    entries = await stores[0].load(subjects.ledger(name))
    assert Counter(found.event.action for found in entries) == {"granted": 1, "debited": 10, "denied": 10}
    decided = [found.event.about["generation"] for found in entries[1:]]
    assert sorted(decided) == sorted(names)
    assert_sound(entries, available=5, held=100)
    states = [await replica.read(subjects.ledger(name)) for replica in replicas]
    assert states[0] == states[1]


async def test_two_replicas_that_close_the_same_holds_close_them_once(
    stores: list[EventStore], name: str
) -> None:
    await funded(stores[0], name)
    replicas = [ledger_over(store) for store in stores]
    for number in range(5):
        await replicas[number % 2].handle(
            subjects.ledger(name), debit(name, f"g{number}"), cause(name, f"debit {number}")
        )
    ends: list[TimedCommand] = [settle(name, f"g{n}") for n in range(5)]
    ends += [TimedCommand(Refund(account=name, generation=f"g{n}", reason="deadline"), NOW) for n in range(5)]
    await asyncio.gather(
        *(
            replica.handle(subjects.ledger(name), end, cause(name, f"{type(end).__name__} {number}"))
            for replica in replicas
            for number, end in enumerate(ends)
        )
    )
    entries = await stores[0].load(subjects.ledger(name))
    closed = Counter(found.event.about["generation"] for found in entries[6:])
    assert closed == {f"g{n}": 1 for n in range(5)}
    assert reduce(evolve, (found.event for found in entries), Account()).held == 0


def assert_sound(entries: Sequence[RecordedEvent], *, available: int, held: int) -> None:
    """Entry numbers without gaps, balances never below zero, and these at the end."""
    events = [found.event for found in entries]
    for number, event in enumerate(events, start=1):
        assert isinstance(event, LedgerEvent)
        assert event.entry == number
        assert min(event.balances.available, event.balances.held) >= 0
    last = events[-1]
    assert isinstance(last, LedgerEvent)
    assert (last.balances.available, last.balances.held) == (available, held)


# A cache that is behind


async def test_a_decision_on_stale_state_is_repeated(stores: list[EventStore], name: str) -> None:
    await funded(stores[0], name, 15)
    one, two = (ledger_over(store) for store in stores)
    await one.read(subjects.ledger(name))
    await two.handle(subjects.ledger(name), debit(name, "g1"), cause(name, "one"))
    outcome = await one.handle(subjects.ledger(name), debit(name, "g2"), cause(name, "two"))
    assert outcome.event is not None
    assert outcome.event.event.action == "denied"


async def test_a_refusal_on_stale_state_is_repeated(stores: list[EventStore], name: str) -> None:
    await funded(stores[0], name)
    one, two = (ledger_over(store) for store in stores)
    await one.read(subjects.ledger(name))
    await two.handle(subjects.ledger(name), debit(name), cause(name, "one"))
    await one.handle(subjects.ledger(name), settle(name), cause(name, "two"))
    assert await actions(stores[0], name) == ["granted", "debited", "settled"]


async def test_a_no_op_on_stale_state_is_repeated(stores: list[EventStore], name: str) -> None:
    """The rule here: at most one debit is held at a time."""

    def one_at_a_time(command: TimedCommand, account: Account) -> Event | None:
        return None if account.holds and isinstance(command.command, Debit) else decide(command, account)

    def slow(store: EventStore) -> Ledger:
        decider = Decider(Account(), one_at_a_time, evolve)
        return CommandHandler(store, decider, source="s", clock=ManualClock())

    await funded(stores[0], name)
    one, two = (slow(store) for store in stores)
    await one.handle(subjects.ledger(name), debit(name, "g1"), cause(name, "one"))
    await two.handle(subjects.ledger(name), settle(name), cause(name, "two"))
    await one.handle(subjects.ledger(name), debit(name, "g2"), cause(name, "three"))
    assert await actions(stores[0], name) == ["granted", "debited", "settled", "debited"]


# A store with troubles


@pytest.mark.parametrize(
    "trouble",
    ["not stored", "stored", "stored before the retry", "stored after the retry"],
)
@pytest.mark.parametrize("cached", [True, False])
async def test_an_append_without_an_answer_is_stored_once(
    store: EventStore, name: str, trouble: StoreFault, cached: bool
) -> None:
    troubled = UnreliableStore(store)
    ledger = ledger_over(troubled)
    if cached:
        await ledger.handle(subjects.ledger(name), grant(name), cause(name, "zero"))
    else:
        await funded(store, name)
    troubled.troubles = deque([trouble])
    outcome = await ledger.handle(subjects.ledger(name), debit(name), cause(name, "one"))
    assert not troubled.ghosts
    assert await actions(store, name) == ["granted", "debited"]
    assert outcome.event == (await store.load(subjects.ledger(name)))[-1]
    assert outcome.state == await ledger_over(store).read(subjects.ledger(name))


async def test_another_replica_may_write_before_a_delayed_append_lands(
    stores: list[EventStore], name: str
) -> None:
    """The first append is on its way, another replica's debit takes the credits, so the retry denies; then it lands."""
    await funded(stores[0], name, 10)

    async def meanwhile() -> None:
        await ledger_over(stores[1]).handle(subjects.ledger(name), debit(name, "g2"), cause(name, "two"))

    troubled = UnreliableStore(stores[0], deque(["stored after the retry"]), meanwhile=meanwhile)
    outcome = await ledger_over(troubled).handle(subjects.ledger(name), debit(name, "g1"), cause(name, "one"))
    assert outcome.event is not None
    assert outcome.event.event.action == "denied"
    assert not troubled.ghosts
    entries = await stores[0].load(subjects.ledger(name))
    assert [found.event.action for found in entries] == ["granted", "debited", "denied"]
    assert_sound(entries, available=0, held=10)


async def test_failed_loads_are_retried(store: EventStore, name: str) -> None:
    await funded(store, name)
    troubled = UnreliableStore(store, deque(["stored"]), failing_loads=1)
    ledger = ledger_over(troubled)
    await ledger.handle(subjects.ledger(name), debit(name), cause(name, "one"))
    assert await actions(store, name) == ["granted", "debited"]


@pytest.mark.parametrize("trouble", ["silent", "failing_appends"])
async def test_an_unresponsive_store_is_unavailable_after_the_timeout(
    store: EventStore, name: str, trouble: str
) -> None:
    troubled = UnreliableStore(store, timeout=PATIENCE / 3)
    setattr(troubled, trouble, True)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await ledger_over(troubled).handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert asyncio.get_running_loop().time() - began < PATIENCE + 2
    assert await actions(store, name) == []


async def test_a_command_repeated_after_an_outage_is_handled_once(store: EventStore, name: str) -> None:
    """The append was stored, but its reply was late: the redelivered cause finds the event."""
    troubled = UnreliableStore(store, deque(["stored"]), failing_loads=0)
    ledger = ledger_over(troubled, assume_new=True)
    troubled.failing_loads = 1000
    with pytest.raises(Unavailable):
        await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    troubled.failing_loads = 0
    outcome = await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert outcome.state.available == 100
    assert await actions(store, name) == ["granted"]


async def test_endless_conflicts_end_as_unavailable(store: EventStore, name: str) -> None:
    class Stormy(UnreliableStore):
        async def append(self, event: object, envelope: object, *, aggregate: str, expected: int) -> int:
            self.appends += 1
            raise Conflict(aggregate)

    stormy = Stormy(store)
    with pytest.raises(Unavailable, match="too many"):
        await ledger_over(stormy).handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert stormy.appends <= commands.MAX_ATTEMPTS


# The cache


async def test_a_cached_aggregate_is_not_reloaded(store: EventStore, name: str) -> None:
    troubled = UnreliableStore(store)
    ledger = ledger_over(troubled)
    await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    troubled.loads.clear()
    await ledger.handle(subjects.ledger(name), debit(name), cause(name, "two"))
    assert troubled.loads == []


async def test_the_cache_is_bounded(store: EventStore, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "CACHE_SIZE", 2)
    troubled = UnreliableStore(store)
    ledger = ledger_over(troubled)
    accounts = [f"{name}-{number}" for number in range(3)]
    for account in accounts:
        await ledger.handle(subjects.ledger(account), grant(account), cause(name, f"grant {account}"))
    troubled.loads.clear()
    for account in reversed(accounts):
        await ledger.handle(subjects.ledger(account), debit(account), cause(name, f"debit {account}"))
    assert troubled.loads == [(subjects.ledger(accounts[0]), 0)]


async def test_locks_of_idle_aggregates_are_released(store: EventStore, name: str) -> None:
    ledger = ledger_over(store)
    await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert len(ledger._lanes) == 0


async def test_the_time_of_an_event_is_the_clocks(store: EventStore, name: str) -> None:
    clock = ManualClock()
    ledger = CommandHandler(store, Decider(Account(), decide, evolve), source="s", clock=clock)
    clock.advance(90)
    outcome = await ledger.handle(subjects.ledger(name), grant(name), cause(name, "one"))
    assert outcome.event is not None
    assert outcome.event.envelope.time == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=90)
