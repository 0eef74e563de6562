"""Credits expire by a durable timer, whatever becomes of the timer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.environments.credits import CreditsEnvironment, credits_environment, last_action_is
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer

from telecine_contracts.credits import Balances, CreditsExpired, CreditsRefunded, Posting
from telecine_credits.rules.postings import GRACE_PERIOD

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsEnvironment]:
    async with credits_environment(nats, tmp_path) as running:
        yield running


def seconds_from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def wait_for_timer(environment: CreditsEnvironment, grant: int, at: datetime) -> None:
    """Until the timer of a grant's expiry waits for this time."""

    async def waits() -> bool:
        due = await environment.timer(grant)
        return due is not None and abs(due - at) <= MILLISECOND

    await eventually_async(waits, what=f"no timer for grant {grant} at {at}")


async def test_what_is_left_expires_on_time(environment: CreditsEnvironment) -> None:
    until = seconds_from_now(1.2)
    await environment.grant(100, expires_at=until)
    await environment.grant(7)
    await environment.requested(40)
    await environment.until(last_action_is("debited"))
    await wait_for_timer(environment, 1, until)
    expired = (await environment.until(last_action_is("expired")))[-1]
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


async def test_refund_after_expiry_is_usable_for_a_day(environment: CreditsEnvironment) -> None:
    await environment.grant(40, expires_at=seconds_from_now(0.8))
    await environment.grant(60, expires_at=seconds_from_now(0.8))
    generation = await environment.requested(70)
    await environment.until(last_action_is("expired"))
    await environment.failed(generation)
    refunded = (await environment.until(last_action_is("refunded")))[-1]
    assert isinstance(refunded, CreditsRefunded)
    assert refunded.decided_at is not None
    assert refunded.usable_until == refunded.decided_at + GRACE_PERIOD
    assert refunded.balances == Balances(available=70, held=0)
    await wait_for_timer(environment, 1, refunded.usable_until)
    await wait_for_timer(environment, 2, refunded.usable_until)


async def test_lost_timers_are_restored(environment: CreditsEnvironment) -> None:
    near, later = seconds_from_now(3), seconds_from_now(1800)
    await environment.grant(10, expires_at=later)
    await environment.grant(20, expires_at=near)
    await wait_for_timer(environment, 1, later)
    await wait_for_timer(environment, 2, near)
    await environment.lose_timers()
    await wait_for_timer(environment, 1, later)
    await environment.until(last_action_is("expired"))


async def test_grants_that_expired_during_downtime_expire_at_the_start(
    environment: CreditsEnvironment,
) -> None:
    until = seconds_from_now(1)
    await environment.grant(10, expires_at=until)
    await wait_for_timer(environment, 1, until)
    await environment.stop()
    await environment.lose_timers()

    async def is_over() -> bool:
        return datetime.now(UTC) > until

    await eventually_async(is_over)
    await environment.start()
    await environment.until(last_action_is("expired"))


async def test_many_grants_expire_together_each_once(environment: CreditsEnvironment) -> None:
    until = seconds_from_now(1.5)
    grants = [environment.grant(n, account=f"a{n % 3}", expires_at=until) for n in range(1, 31)]
    await asyncio.gather(*grants)
    for account in ("a0", "a1", "a2"):
        entries = await environment.until(
            lambda entries: [entry.action for entry in entries].count("expired") == 10, account=account
        )
        assert sorted(entry.grant for entry in entries if isinstance(entry, CreditsExpired)) == list(
            range(1, 11)
        )
        assert entries[-1].balances == Balances(available=0, held=0)
        assert len(entries) == 20
