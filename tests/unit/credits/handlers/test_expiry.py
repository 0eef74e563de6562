"""When credits look whether grants have expired, and what they do then, by a clock that is moved by hand."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from tests.support.data.ledger_entries import DAY, HOUR, NOW, Entries, price

from telecine_chassis.consumers.reactor import Retry
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.testing import InMemoryEventStore, InMemoryTimers, ManualClock
from telecine_contracts import Event, registry, subjects
from telecine_contracts.commands import AdjustCredits, GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_credits.handlers.expire import MAX_TIMER_DELAY, ExpiryHandler, expiry_timer
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Command, Debit, Refund, TimedCommand
from telecine_credits.rules.decider import decide
from telecine_credits.rules.postings import GRACE_PERIOD

END = NOW + 2 * DAY


class World:
    """Two replicas' expiries over one store, with the timers of both."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.store = InMemoryEventStore(registry())
        self.timers = InMemoryTimers(self.clock)
        self.ledger = self.replica()
        self.expiries = ExpiryHandler(self.ledger, self.timers, self.clock)

    def replica(self) -> CommandHandler[TimedCommand, Account]:
        decider = Decider(Account(), decide, evolve)
        return CommandHandler(self.store, decider, source="telecine/credits", clock=self.clock)

    async def do(self, command: Callable[..., Command], **fields: object) -> None:
        """Carry out a command now and handle its entry."""
        cause = f"cause {len(await self.entries())}"
        outcome = await self.ledger.handle(
            subjects.ledger("ann"),
            TimedCommand(command(account="ann", **fields), self.clock()),
            Cause(cause, cause),
        )
        if outcome.event is not None:
            await self.expiries.set_timers(outcome.event.event, Cause.of(outcome.event.envelope))

    async def grant(self, amount: int, expires_at: datetime | None) -> None:
        fields = {"amount": amount, "kind": GrantKind.PAID, "expires_at": expires_at}
        await self.do(GrantCredits, **fields, reference=f"r{len(await self.entries()) + 1}")

    async def debit(self, generation: str, credits: int) -> None:
        await self.do(Debit, generation=generation, price=price(credits))

    async def refund(self, generation: str) -> None:
        await self.do(Refund, generation=generation, reason="deadline")

    async def fire(self) -> int:
        """Handle every timer that is due; how many those were."""
        due = self.timers.due()
        for timer in due:
            await self.expiries.expire_due(timer)
        return len(due)

    async def entries(self) -> tuple[Event, ...]:
        return tuple(recorded.event for recorded in await self.store.load(subjects.ledger("ann")))

    def waiting(self) -> dict[str, datetime]:
        """When each grant's timer is due."""
        return {key[1]: at for (_, key), (at, _) in self.timers.waiting.items()}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_grant_expires_when_its_timer_fires(world: World) -> None:
    await world.grant(100, END)
    await world.grant(10, None)
    assert world.waiting() == {"1": END}
    world.clock.now = END
    assert await world.fire() == 1
    then = Entries().granted(100, expires_at=END).granted(10).expired(1, 100, at=END)
    assert await world.entries() == then.all
    assert world.waiting() == {}


async def test_a_redelivered_timer_expires_once(world: World) -> None:
    await world.grant(100, END)
    world.clock.now = END
    await world.expiries.expire_due(expiry_timer("ann", 1))
    await world.expiries.expire_due(expiry_timer("ann", 1))
    assert [event.action for event in await world.entries()] == ["granted", "expired"]


async def test_refunded_credits_of_an_expired_grant_expire_a_day_later(world: World) -> None:
    await world.grant(100, END)
    await world.debit("g1", 40)
    world.clock.now = END
    await world.fire()
    back = world.clock.now = END + HOUR
    await world.refund("g1")
    assert world.waiting() == {"1": back + GRACE_PERIOD}
    over = world.clock.now = back + GRACE_PERIOD
    await world.fire()
    then = (
        Entries()
        .granted(100, expires_at=END)
        .debited("g1", {1: 40})
        .expired(1, 60, at=END)
        .refunded("g1", {1: 40}, usable_until=back + GRACE_PERIOD, at=back)
        .expired(1, 40, at=over)
    )
    assert await world.entries() == then.all


async def test_an_adjusted_expiry_expires_again_a_day_later(world: World) -> None:
    await world.grant(100, END)
    world.clock.now = END
    await world.fire()
    back = world.clock.now = END + 5 * DAY
    await world.do(AdjustCredits, corrects=2, amount=30, reference="ticket")
    assert world.waiting() == {"1": back + GRACE_PERIOD}
    world.clock.now = back + GRACE_PERIOD
    await world.fire()
    assert [event.action for event in await world.entries()] == ["granted", "expired", "adjusted", "expired"]


async def test_a_timer_that_was_set_too_early_is_set_again(world: World) -> None:
    """Entries are handled in any order: that of an earlier return may move the timer back."""
    await world.grant(100, END)
    await world.debit("g1", 40)
    world.clock.now = END
    await world.refund("g1")
    await world.timers.set(expiry_timer("ann", 1), END + HOUR)
    world.clock.now = END + HOUR
    await world.fire()
    assert world.waiting() == {"1": END + GRACE_PERIOD}
    assert [event.action for event in await world.entries()] == ["granted", "debited", "refunded"]


async def test_a_timer_that_fires_slightly_early_is_retried(world: World) -> None:
    """The server's clock is ahead: a timer set for the same time would fire at once, again and again."""
    await world.grant(100, END)
    world.clock.now = END - timedelta(seconds=2)
    with pytest.raises(Retry) as caught:
        await world.expiries.expire_due(expiry_timer("ann", 1))
    assert caught.value.delay == 2


async def test_timer_delays_are_at_most_30_days(world: World) -> None:
    far = datetime.max.replace(tzinfo=NOW.tzinfo)
    await world.grant(100, far)
    assert world.waiting() == {"1": NOW + MAX_TIMER_DELAY}
    now = world.clock.now = NOW + MAX_TIMER_DELAY
    await world.fire()
    assert world.waiting() == {"1": now + MAX_TIMER_DELAY}


async def test_a_grant_with_nothing_left_needs_no_timer(world: World) -> None:
    await world.grant(100, END)
    await world.debit("g1", 100)
    world.clock.now = END - DAY
    await world.expiries.expire_due(expiry_timer("ann", 1))
    world.clock.now = END
    await world.fire()
    assert world.waiting() == {}
    assert [event.action for event in await world.entries()] == ["granted", "debited"]


@pytest.mark.parametrize(("account", "grant"), [("ann", 2), ("ben", 1)])
async def test_a_timer_of_an_unknown_grant_is_a_no_op(world: World, account: str, grant: int) -> None:
    await world.grant(100, None)
    await world.expiries.expire_due(expiry_timer(account, grant))
    assert [event.action for event in await world.entries()] == ["granted"]


async def test_two_grants_that_expire_in_two_replicas_at_once_both_do(world: World) -> None:
    """Each expiry has an id of its own: neither replica takes the other's for its own."""
    await world.grant(100, END)
    await world.grant(50, END)
    world.clock.now = END
    other = ExpiryHandler(world.replica(), world.timers, world.clock)
    await other.expire_due(expiry_timer("unknown", 1))
    await world.expiries.expire_due(expiry_timer("ann", 1))
    await other.expire_due(expiry_timer("ann", 2))
    recorded = await world.store.load(subjects.ledger("ann"))
    assert [found.event.action for found in recorded] == ["granted", "granted", "expired", "expired"]
    assert len({found.envelope.id for found in recorded}) == 4
