"""Granting credits over request and reply: once per reference, and every mistake is answered."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.data.ledger_entries import NOW
from tests.support.environments.credits import CreditsEnvironment, credits_environment
from tests.support.servers.instances import NatsServer

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import GrantCredits, LedgerAnswer, Refusal
from telecine_contracts.credits import Balances, CreditsGranted, GrantKind, Posting

LATER = NOW + timedelta(days=365_000)


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[CreditsEnvironment]:
    async with credits_environment(nats, tmp_path) as running:
        yield running


async def test_a_reference_grants_once(environment: CreditsEnvironment) -> None:
    first = await environment.grant(50, reference="payment-1")
    (entry,) = await environment.ledger()
    balances = Balances(available=50, held=0)
    assert first == LedgerAnswer(done=True, entry=1, balances=balances, decided_at=entry.decided_at)
    second = await environment.grant(10, reference="payment-2")
    more = Balances(available=60, held=0)
    assert second == LedgerAnswer(done=True, entry=2, balances=more, decided_at=second.decided_at)
    again = await environment.grant(50, reference="payment-1")
    assert again == LedgerAnswer(done=False, entry=1, balances=more, decided_at=entry.decided_at)
    assert len(await environment.ledger()) == 2


async def test_all_that_was_asked_for_is_in_the_entry(environment: CreditsEnvironment) -> None:
    asked: dict[str, Any] = {
        "reference": "welcome",
        "kind": GrantKind.PROMOTIONAL,
        "reason": "Welcome",
        "expires_at": LATER,
    }
    answer = await environment.grant(5, **asked)
    assert await environment.ledger() == [
        CreditsGranted(
            account="ann",
            entry=1,
            postings=(
                Posting(account="issued", amount=-5, grant=1),
                Posting(account="ann:available", amount=5, grant=1),
            ),
            balances=Balances(available=5, held=0),
            decided_at=answer.decided_at,
            amount=5,
            **asked,
        )
    ]


async def test_another_grant_for_a_reference_is_refused(environment: CreditsEnvironment) -> None:
    await environment.grant(50, reference="payment-1")
    changes: list[dict[str, Any]] = [{"amount": 51}, {"kind": GrantKind.PLAN}, {"expires_at": LATER}]
    for change in changes:
        asked: dict[str, Any] = {"amount": 50, "reference": "payment-1"} | change
        answer = await environment.grant(**asked)
        assert answer == LedgerAnswer(
            refusal=Refusal.REFERENCE_CONFLICT,
            field="reference",
            error="reference 'payment-1' was used before, for entry 1: a grant of 50 paid credits",
        )
    assert len(await environment.ledger()) == 1


async def test_an_impossible_grant_is_refused(environment: CreditsEnvironment) -> None:
    past = await environment.grant(5, expires_at=NOW - timedelta(days=1000))
    assert (past.refusal, past.field) == (Refusal.INVALID, "expires_at")
    await environment.grant(MAX_CREDITS)
    more = await environment.grant(1)
    assert (more.refusal, more.field) == (Refusal.BALANCE_TOO_LARGE, "amount")
    assert [entry.balances.available for entry in await environment.ledger()] == [MAX_CREDITS]


BODIES: list[tuple[bytes, list[str]]] = [
    (b"{", ["body"]),
    (b"\xff", ["body"]),
    (b"", ["body"]),
    (b"[]", ["body"]),
    (b"{}", ["account", "amount", "reference"]),
    (b'{"account": "a.b", "amount": 0, "reference": ""}', ["account", "amount", "reference"]),
    (b'{"account": "a", "amount": 1.5, "reference": "r", "more": 1}', ["amount", "more"]),
    (b'{"account": "a", "amount": -1, "reference": "r"}', ["amount"]),
    (b'{"account": "a", "amount": "5", "reference": "r"}', ["amount"]),
    (b'{"account": "a", "amount": true, "reference": "r"}', ["amount"]),
    (json.dumps({"account": "a", "amount": MAX_CREDITS + 1, "reference": "r"}).encode(), ["amount"]),
    (b'{"account": "a", "amount": ' + b"9" * 400 + b', "reference": "r"}', ["amount"]),
    (b'{"account": "a", "amount": ' + b"9" * 5000 + b', "reference": "r"}', ["body"]),
    (
        b'{"account": "a", "amount": 1, "reference": "r", "expires_at": "2030-01-01T00:00:00"}',
        ["expires_at"],
    ),
    (b'{"account": "a", "amount": 1, "reference": "r", "kind": "gift"}', ["kind"]),
]


@pytest.mark.parametrize("headers", [None, {"content-type": "application/json"}], ids=["plain", "json"])
async def test_invalid_requests_name_their_fields(
    environment: CreditsEnvironment, headers: dict[str, str] | None
) -> None:
    for body, named in BODIES:
        answer = await environment.ask(GrantCredits.subject, body, headers)
        assert answer == LedgerAnswer(refusal=Refusal.INVALID, field=named[0], error=answer.error)
        assert answer.error is not None
        for name in named:
            assert f"{name}: " in answer.error
    assert await environment.ledger("a") == []
