"""Adjusting, closing, reopening and limiting over request and reply, and what a generation is charged then."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.environments.credits import CreditsWorld, credits_world, last_action
from tests.support.servers.instances import NatsServer

from telecine_contracts.commands import (
    ADJUST_CREDITS,
    CLOSE_ACCOUNT,
    REOPEN_ACCOUNT,
    SET_SPEND_LIMITS,
    AdjustCredits,
    CloseAccount,
    LedgerAnswer,
    LedgerCommand,
    Refusal,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    Balances,
    CreditsAdjusted,
    CreditsDenied,
    DenialReason,
    LimitPeriod,
    LimitReached,
    LimitScope,
    Posting,
    SpendLimitsSet,
)


@pytest.fixture
async def world(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsWorld]:
    async with credits_world(nats, tmp_path) as running:
        yield running


async def twice(
    world: CreditsWorld, subject: str, command: LedgerCommand
) -> tuple[LedgerAnswer, LedgerAnswer]:
    """The answers to a command and to the same again."""
    return await world.ask(subject, command), await world.ask(subject, command)


async def test_a_grant_and_a_settlement_are_adjusted_once_per_reference(world: CreditsWorld) -> None:
    await world.grant(100)
    await world.delivered(await charged(world, 40))
    await world.until(last_action("settled"))

    asked = AdjustCredits(account="ann", corrects=3, amount=15, reference="ticket-1", reason="Bad video")
    first, again = await twice(world, ADJUST_CREDITS, asked)
    entry = (await world.ledger())[-1]
    balances = Balances(available=75, held=0)
    assert first == LedgerAnswer(done=True, entry=4, balances=balances, decided_at=entry.decided_at)
    assert again == first.model_copy(update={"done": False})
    assert entry == CreditsAdjusted(
        account="ann",
        entry=4,
        postings=(
            Posting(account="spent", amount=-15, grant=1),
            Posting(account="ann:available", amount=15, grant=1),
        ),
        balances=balances,
        decided_at=first.decided_at,
        corrects=3,
        amount=15,
        reference="ticket-1",
        reason="Bad video",
    )

    asked = AdjustCredits(account="ann", corrects=1, amount=75, reference="ticket-2")
    first, again = await twice(world, ADJUST_CREDITS, asked)
    assert (first.entry, first.balances) == (5, Balances(available=0, held=0))
    assert again == first.model_copy(update={"done": False})
    other = AdjustCredits(account="ann", corrects=1, amount=74, reference="ticket-2")
    answer = await world.ask(ADJUST_CREDITS, other)
    assert (answer.refusal, answer.field) == (Refusal.REFERENCE_CONFLICT, "reference")
    too_much = AdjustCredits(account="ann", corrects=3, amount=26, reference="ticket-3")
    answer = await world.ask(ADJUST_CREDITS, too_much)
    assert answer == LedgerAnswer(
        refusal=Refusal.NOT_CORRECTABLE,
        field="amount",
        error="only 25 of the credits of entry 3 are left to be given back",
    )
    assert len(await world.ledger()) == 5


async def charged(world: CreditsWorld, credits: int, api_key: str | None = None) -> str:
    """A generation that was asked for and debited or denied."""
    before = len(await world.ledger())
    generation = await world.requested(credits, api_key=api_key)
    await world.until(lambda entries: len(entries) > before)
    return generation


async def test_a_closed_account_is_charged_nothing_until_it_is_reopened(world: CreditsWorld) -> None:
    await world.grant(100)
    close = CloseAccount(account="ann", reason="Asked for by mail")
    first, again = await twice(world, CLOSE_ACCOUNT, close)
    closed = (await world.ledger())[-1]
    balances = Balances(available=100, held=0)
    assert closed == AccountClosed(
        account="ann",
        entry=2,
        postings=(),
        balances=balances,
        decided_at=first.decided_at,
        reason="Asked for by mail",
    )
    assert first == LedgerAnswer(done=True, entry=2, balances=balances, decided_at=closed.decided_at)
    assert again == first.model_copy(update={"done": False})

    generation = await charged(world, 40)
    denied = (await world.ledger())[-1]
    assert denied == CreditsDenied(
        account="ann",
        entry=3,
        postings=(),
        balances=balances,
        decided_at=denied.decided_at,
        generation=generation,
        reason=DenialReason.ACCOUNT_CLOSED,
        needed=40,
        available=100,
    )
    refused = await world.grant(1)
    assert (refused.refusal, refused.field) == (Refusal.ACCOUNT_CLOSED, "account")
    once_more = await world.ask(CLOSE_ACCOUNT, close)
    assert once_more == first.model_copy(update={"done": False})

    first, again = await twice(world, REOPEN_ACCOUNT, ReopenAccount(account="ann", reason="Came back"))
    reopened = (await world.ledger())[-1]
    assert isinstance(reopened, AccountReopened)
    assert (first.done, first.entry, first.decided_at) == (True, 4, reopened.decided_at)
    assert again == first.model_copy(update={"done": False})
    await charged(world, 40)
    assert (await world.ledger())[-1].action == "debited"


async def test_what_was_never_closed_is_open_without_an_entry(world: CreditsWorld) -> None:
    answer = await world.ask(REOPEN_ACCOUNT, ReopenAccount(account="ann"))
    assert answer == LedgerAnswer(done=False, balances=Balances(available=0, held=0))
    answer = await world.ask(SET_SPEND_LIMITS, SetSpendLimits(account="ann"))
    assert answer == LedgerAnswer(done=False, balances=Balances(available=0, held=0))
    assert await world.ledger() == []


async def test_limits_bound_what_an_account_and_its_keys_spend(world: CreditsWorld) -> None:
    await world.grant(1000)
    asked = SetSpendLimits(account="ann", per_day=100, per_generation=60)
    first, again = await twice(world, SET_SPEND_LIMITS, asked)
    entry = (await world.ledger())[-1]
    assert entry == SpendLimitsSet(
        account="ann",
        entry=2,
        postings=(),
        balances=Balances(available=1000, held=0),
        decided_at=first.decided_at,
        per_day=100,
        per_generation=60,
    )
    assert (first.done, first.entry, first.decided_at) == (True, 2, entry.decided_at)
    assert again == first.model_copy(update={"done": False})
    of_key = SetSpendLimits(account="ann", api_key="k1", per_day=50)
    assert (await world.ask(SET_SPEND_LIMITS, of_key)).entry == 3
    assert (await world.ask(SET_SPEND_LIMITS, asked)).entry == 2

    whole_account, one_key = LimitScope.ACCOUNT, LimitScope.API_KEY
    await charged(world, 61)
    assert await reached(world) == (whole_account, LimitPeriod.GENERATION, 60, 0)
    await world.failed(await charged(world, 50, "k1"))
    await world.until(last_action("refunded"))
    await charged(world, 41, "k1")
    await charged(world, 10, "k1")
    assert await reached(world) == (one_key, LimitPeriod.DAY, 50, 41)
    await charged(world, 60)
    assert await reached(world) == (whole_account, LimitPeriod.DAY, 100, 41)

    assert (await world.ask(SET_SPEND_LIMITS, SetSpendLimits(account="ann"))).done
    await charged(world, 900)
    assert (await world.ledger())[-1].action == "debited"


async def reached(world: CreditsWorld) -> tuple[LimitScope, LimitPeriod, int, int]:
    """The limit that the last denial names."""
    denied = (await world.ledger())[-1]
    assert isinstance(denied, CreditsDenied)
    assert denied.reason is DenialReason.SPEND_LIMIT
    assert isinstance(denied.limit, LimitReached)
    return denied.limit.scope, denied.limit.per, denied.limit.limit, denied.limit.used


@pytest.mark.parametrize(
    ("subject", "body", "named"),
    [
        (
            ADJUST_CREDITS,
            b'{"account": "a", "corrects": 0, "amount": 0}',
            ["corrects", "amount", "reference"],
        ),
        (ADJUST_CREDITS, b'{"account": "a", "corrects": "1", "amount": 1, "reference": "r"}', ["corrects"]),
        (CLOSE_ACCOUNT, b'{"account": "a*", "why": ""}', ["account", "why"]),
        (REOPEN_ACCOUNT, b"null", ["body"]),
        (SET_SPEND_LIMITS, b'{"account": "a", "per_day": -1}', ["per_day"]),
        (
            SET_SPEND_LIMITS,
            b'{"account": "a", "api_key": "", "per_generation": 1e3}',
            ["api_key", "per_generation"],
        ),
    ],
)
async def test_every_mistake_is_answered_by_name(
    world: CreditsWorld, subject: str, body: bytes, named: list[str]
) -> None:
    answer = await world.ask(subject, body)
    assert (answer.done, answer.refusal, answer.field) == (False, Refusal.INVALID, named[0])
    assert answer.error is not None
    for name in named:
        assert f"{name}: " in answer.error
