"""Adjusting, closing, reopening and limiting over request and reply, and what a generation is charged then."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.environments.credits import CreditsEnvironment, credits_environment, last_action_is
from tests.support.servers.instances import NatsServer

from telecine_contracts.commands import (
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
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsEnvironment]:
    async with credits_environment(nats, tmp_path) as running:
        yield running


async def send_twice(
    environment: CreditsEnvironment, subject: str, command: LedgerCommand
) -> tuple[LedgerAnswer, LedgerAnswer]:
    """The answers to a command and to the same again."""
    return await environment.ask(subject, command), await environment.ask(subject, command)


async def test_a_grant_and_a_settlement_are_adjusted_once_per_reference(
    environment: CreditsEnvironment,
) -> None:
    await environment.grant(100)
    await environment.delivered(await request_until_decided(environment, 40))
    await environment.until(last_action_is("settled"))

    asked = AdjustCredits(account="ann", corrects=3, amount=15, reference="ticket-1", reason="Bad video")
    first, again = await send_twice(environment, AdjustCredits.subject, asked)
    entry = (await environment.ledger())[-1]
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
    first, again = await send_twice(environment, AdjustCredits.subject, asked)
    assert (first.entry, first.balances) == (5, Balances(available=0, held=0))
    assert again == first.model_copy(update={"done": False})
    other = AdjustCredits(account="ann", corrects=1, amount=74, reference="ticket-2")
    answer = await environment.ask(AdjustCredits.subject, other)
    assert (answer.refusal, answer.field) == (Refusal.REFERENCE_CONFLICT, "reference")
    too_much = AdjustCredits(account="ann", corrects=3, amount=26, reference="ticket-3")
    answer = await environment.ask(AdjustCredits.subject, too_much)
    assert answer == LedgerAnswer(
        refusal=Refusal.NOT_CORRECTABLE,
        field="amount",
        error="only 25 of the credits of entry 3 are left to be given back",
    )
    assert len(await environment.ledger()) == 5


async def request_until_decided(
    environment: CreditsEnvironment, credits: int, api_key: str | None = None
) -> str:
    """A generation that was asked for and debited or denied."""
    before = len(await environment.ledger())
    generation = await environment.requested(credits, api_key=api_key)
    await environment.until(lambda entries: len(entries) > before)
    return generation


async def test_a_closed_account_is_charged_nothing_until_it_is_reopened(
    environment: CreditsEnvironment,
) -> None:
    await environment.grant(100)
    close = CloseAccount(account="ann", reason="Asked for by mail")
    first, again = await send_twice(environment, CloseAccount.subject, close)
    closed = (await environment.ledger())[-1]
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

    generation = await request_until_decided(environment, 40)
    denied = (await environment.ledger())[-1]
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
    refused = await environment.grant(1)
    assert (refused.refusal, refused.field) == (Refusal.ACCOUNT_CLOSED, "account")
    once_more = await environment.ask(CloseAccount.subject, close)
    assert once_more == first.model_copy(update={"done": False})

    first, again = await send_twice(
        environment, ReopenAccount.subject, ReopenAccount(account="ann", reason="Came back")
    )
    reopened = (await environment.ledger())[-1]
    assert isinstance(reopened, AccountReopened)
    assert (first.done, first.entry, first.decided_at) == (True, 4, reopened.decided_at)
    assert again == first.model_copy(update={"done": False})
    await request_until_decided(environment, 40)
    assert (await environment.ledger())[-1].action == "debited"


async def test_reopening_an_open_account_writes_no_entry(environment: CreditsEnvironment) -> None:
    answer = await environment.ask(ReopenAccount.subject, ReopenAccount(account="ann"))
    assert answer == LedgerAnswer(done=False, balances=Balances(available=0, held=0))
    answer = await environment.ask(SetSpendLimits.subject, SetSpendLimits(account="ann"))
    assert answer == LedgerAnswer(done=False, balances=Balances(available=0, held=0))
    assert await environment.ledger() == []


async def test_limits_bound_what_an_account_and_its_keys_spend(environment: CreditsEnvironment) -> None:
    await environment.grant(1000)
    asked = SetSpendLimits(account="ann", per_day=100, per_generation=60)
    first, again = await send_twice(environment, SetSpendLimits.subject, asked)
    entry = (await environment.ledger())[-1]
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
    assert (await environment.ask(SetSpendLimits.subject, of_key)).entry == 3
    assert (await environment.ask(SetSpendLimits.subject, asked)).entry == 2

    whole_account, one_key = LimitScope.ACCOUNT, LimitScope.API_KEY
    await request_until_decided(environment, 61)
    assert await limit_in_last_denial(environment) == (whole_account, LimitPeriod.GENERATION, 60, 0)
    await environment.failed(await request_until_decided(environment, 50, "k1"))
    await environment.until(last_action_is("refunded"))
    await request_until_decided(environment, 41, "k1")
    await request_until_decided(environment, 10, "k1")
    assert await limit_in_last_denial(environment) == (one_key, LimitPeriod.DAY, 50, 41)
    await request_until_decided(environment, 60)
    assert await limit_in_last_denial(environment) == (whole_account, LimitPeriod.DAY, 100, 41)

    assert (await environment.ask(SetSpendLimits.subject, SetSpendLimits(account="ann"))).done
    await request_until_decided(environment, 900)
    assert (await environment.ledger())[-1].action == "debited"


async def limit_in_last_denial(environment: CreditsEnvironment) -> tuple[LimitScope, LimitPeriod, int, int]:
    """The limit that the last denial names."""
    denied = (await environment.ledger())[-1]
    assert isinstance(denied, CreditsDenied)
    assert denied.reason is DenialReason.SPEND_LIMIT
    assert isinstance(denied.limit, LimitReached)
    return denied.limit.scope, denied.limit.per, denied.limit.limit, denied.limit.used


@pytest.mark.parametrize(
    ("subject", "body", "named"),
    [
        (
            AdjustCredits.subject,
            b'{"account": "a", "corrects": 0, "amount": 0}',
            ["corrects", "amount", "reference"],
        ),
        (
            AdjustCredits.subject,
            b'{"account": "a", "corrects": "1", "amount": 1, "reference": "r"}',
            ["corrects"],
        ),
        (CloseAccount.subject, b'{"account": "a*", "why": ""}', ["account", "why"]),
        (ReopenAccount.subject, b"null", ["body"]),
        (SetSpendLimits.subject, b'{"account": "a", "per_day": -1}', ["per_day"]),
        (
            SetSpendLimits.subject,
            b'{"account": "a", "api_key": "", "per_generation": 1e3}',
            ["api_key", "per_generation"],
        ),
    ],
)
async def test_invalid_requests_name_their_fields(
    environment: CreditsEnvironment, subject: str, body: bytes, named: list[str]
) -> None:
    answer = await environment.ask(subject, body)
    assert (answer.done, answer.refusal, answer.field) == (False, Refusal.INVALID, named[0])
    assert answer.error is not None
    for name in named:
        assert f"{name}: " in answer.error
