"""Credits expire by a durable timer, whatever becomes of the timer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.environments.credits import CreditsWorld, credits_world, last_action
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer

from telecine_contracts.credits import Balances, CreditsExpired, CreditsRefunded, Posting
from telecine_credits.rules.decider import GRACE

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
async def world(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsWorld]:
    async with credits_world(nats, tmp_path) as running:
        yield running


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def armed(world: CreditsWorld, grant: int, at: datetime) -> None:
    """Until the timer of a grant's expiry waits for this time."""

    async def waits() -> bool:
        due = await world.timer(grant)
        return due is not None and abs(due - at) <= MILLISECOND

    await eventually_async(waits, what=f"no timer for grant {grant} at {at}")


async def test_what_is_left_expires_on_time(world: CreditsWorld) -> None:
    until = soon(1.2)
    await world.grant(100, expires_at=until)
    await world.grant(7)
    await world.requested(40)
    await world.until(last_action("debited"))
    await armed(world, 1, until)
    expired = (await world.until(last_action("expired")))[-1]
    assert expired.decided_at is not None
    assert until <= expired.decided_at < until + timedelta(seconds=5)
    assert expired == CreditsExpired(
        account="ann",
        entry=4,
        postings=(
            Posting(account="ann:available", amount=-60, grant=1),
            Posting(account="expired", amount=60, grant=1),
        ),
        balances=Balances(available=7, held=40),
        decided_at=expired.decided_at,
        grant=1,
        amount=60,
    )


async def test_what_comes_back_after_its_time_has_a_day(world: CreditsWorld) -> None:
    await world.grant(40, expires_at=soon(0.8))
    await world.grant(60, expires_at=soon(0.8))
    generation = await world.requested(70)
    await world.until(last_action("expired"))
    await world.failed(generation)
    refunded = (await world.until(last_action("refunded")))[-1]
    assert isinstance(refunded, CreditsRefunded)
    assert refunded.decided_at is not None
    assert refunded.usable_until == refunded.decided_at + GRACE
    assert refunded.balances == Balances(available=70, held=0)
    await armed(world, 1, refunded.usable_until)
    await armed(world, 2, refunded.usable_until)


async def test_timers_that_were_lost_come_back_at_their_time(world: CreditsWorld) -> None:
    near, later = soon(3), soon(1800)
    await world.grant(10, expires_at=later)
    await world.grant(20, expires_at=near)
    await armed(world, 1, later)
    await armed(world, 2, near)
    await world.lose_timers()
    await armed(world, 1, later)
    await world.until(last_action("expired"))


async def test_what_expired_while_the_service_was_away_expires_at_its_return(world: CreditsWorld) -> None:
    until = soon(1)
    await world.grant(10, expires_at=until)
    await armed(world, 1, until)
    await world.stop()
    await world.lose_timers()

    async def is_over() -> bool:
        return datetime.now(UTC) > until

    await eventually_async(is_over)
    await world.start()
    await world.until(last_action("expired"))


async def test_many_grants_expire_together_each_once(world: CreditsWorld) -> None:
    until = soon(1.5)
    grants = [world.grant(n, account=f"a{n % 3}", expires_at=until) for n in range(1, 31)]
    await asyncio.gather(*grants)
    for account in ("a0", "a1", "a2"):
        entries = await world.until(
            lambda entries: [entry.action for entry in entries].count("expired") == 10, account=account
        )
        assert sorted(entry.grant for entry in entries if isinstance(entry, CreditsExpired)) == list(
            range(1, 11)
        )
        assert entries[-1].balances == Balances(available=0, held=0)
        assert len(entries) == 20
