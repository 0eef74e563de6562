"""What a user is told of a generation that was not paid for."""

import pytest

from telecine_contracts.credits import (
    Balances,
    CreditsDenied,
    DenialReason,
    LimitPeriod,
    LimitReached,
    LimitScope,
)
from telecine_generation.rules.denials import in_words


def denied(reason: DenialReason, limit: LimitReached | None = None) -> CreditsDenied:
    return CreditsDenied(
        account="ann",
        entry=2,
        postings=(),
        balances=Balances(available=30, held=0),
        generation="g1",
        reason=reason,
        needed=40,
        available=25,
        limit=limit,
    )


def limit(scope: LimitScope, per: LimitPeriod) -> LimitReached:
    return LimitReached(scope=scope, per=per, limit=35, used=0 if per is LimitPeriod.GENERATION else 20)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            denied(DenialReason.INSUFFICIENT_CREDITS),
            "Insufficient credits: 40 needed, 25 available",
        ),
        (denied(DenialReason.ACCOUNT_CLOSED), "The account is closed"),
        (
            denied(DenialReason.SPEND_LIMIT, limit(LimitScope.ACCOUNT, LimitPeriod.DAY)),
            "Spend limit reached: 40 credits needed, the account may spend 35 a day (UTC) and has spent 20",
        ),
        (
            denied(DenialReason.SPEND_LIMIT, limit(LimitScope.API_KEY, LimitPeriod.DAY)),
            "Spend limit reached: 40 credits needed, this API key may spend 35 a day (UTC) and has spent 20",
        ),
        (
            denied(DenialReason.SPEND_LIMIT, limit(LimitScope.ACCOUNT, LimitPeriod.GENERATION)),
            "Spend limit reached: 40 credits needed, the account may spend 35 for one generation",
        ),
        (
            denied(DenialReason.SPEND_LIMIT, limit(LimitScope.API_KEY, LimitPeriod.GENERATION)),
            "Spend limit reached: 40 credits needed, this API key may spend 35 for one generation",
        ),
    ],
)
def test_every_denial_is_described(event: CreditsDenied, words: str) -> None:
    assert in_words(event) == words
