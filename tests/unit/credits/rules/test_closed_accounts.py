"""A closed account is charged nothing and granted nothing; what runs ends as ever, and its history stays."""

import pytest
from tests.support.data.ledger_entries import AVAILABLE, DAY, NOW, Entries, decide_on, price

from telecine_contracts import Event
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    Refusal,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import DenialReason, GrantKind, LimitPeriod, LimitReached, LimitScope
from telecine_credits.rules.commands import Debit, Expire, Refund, Settle, TimedCommand
from telecine_credits.rules.errors import LedgerRefused

END = NOW + DAY
OPEN = (
    Entries()
    .granted(100, expires_at=END)
    .debited("g1", {1: 40})
    .debited("g2", {1: 10})
    .settled("g2", {1: 10})
)
CLOSED = OPEN.closed("Asked for by mail")
CLOSE = TimedCommand(CloseAccount(account="ann", reason="Asked for by mail"), NOW)
REOPEN = TimedCommand(ReopenAccount(account="ann", reason="Came back"), NOW)
DEBIT = TimedCommand(Debit(account="ann", generation="g3", price=price(10)), NOW)
GRANT = TimedCommand(GrantCredits(account="ann", amount=5, kind=GrantKind.PAID, reference="new"), NOW)


def test_an_account_that_was_never_granted_anything_is_not_closed() -> None:
    with pytest.raises(LedgerRefused, match="account ann does not exist") as caught:
        decide_on(Entries(), CLOSE)
    assert (caught.value.refusal, caught.value.field) == (Refusal.INVALID, "account")


@pytest.mark.parametrize("given", [OPEN, CLOSED.reopened()], ids=["open", "reopened"])
def test_an_account_is_closed_once(given: Entries) -> None:
    assert decide_on(given, CLOSE) == given.closed("Asked for by mail").last
    assert decide_on(given.closed("Asked for by mail"), CLOSE) is None


def test_an_account_is_reopened_once() -> None:
    assert decide_on(CLOSED, REOPEN) == CLOSED.reopened("Came back").last
    assert decide_on(CLOSED.reopened("Came back"), REOPEN) is None


@pytest.mark.parametrize("given", [Entries(), OPEN], ids=["new", "open"])
def test_an_open_account_is_not_reopened(given: Entries) -> None:
    assert decide_on(given, REOPEN) is None


def test_nothing_is_charged_to_a_closed_account() -> None:
    then = CLOSED.denied("g3", DenialReason.ACCOUNT_CLOSED, needed=10, available=50)
    assert decide_on(CLOSED, DEBIT) == then.last


def test_closed_takes_precedence_over_limits_and_balance() -> None:
    given = OPEN.limited(per_generation=0).closed()
    command = TimedCommand(Debit(account="ann", generation="g3", price=price(1000)), NOW)
    then = given.denied("g3", DenialReason.ACCOUNT_CLOSED, needed=1000, available=50)
    assert decide_on(given, command) == then.last
    limit = LimitReached(scope=LimitScope.ACCOUNT, per=LimitPeriod.GENERATION, limit=0, used=0)
    open_again = given.reopened()
    then = open_again.denied("g3", DenialReason.SPEND_LIMIT, needed=1000, available=50, limit=limit)
    assert decide_on(open_again, command) == then.last


def test_nothing_is_granted_to_a_closed_account() -> None:
    with pytest.raises(LedgerRefused, match="account ann is closed: reopen it first") as caught:
        decide_on(CLOSED, GRANT)
    assert (caught.value.refusal, caught.value.field) == (Refusal.ACCOUNT_CLOSED, "account")


def test_a_repeated_grant_is_answered_while_closed() -> None:
    again = TimedCommand(
        GrantCredits(account="ann", amount=100, kind=GrantKind.PAID, reference="r1", expires_at=END), NOW
    )
    assert decide_on(CLOSED, again) is None


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (TimedCommand(Settle(account="ann", generation="g1"), NOW), CLOSED.settled("g1", {1: 40})),
        (
            TimedCommand(Refund(account="ann", generation="g1", reason="deadline"), NOW),
            CLOSED.refunded("g1", {1: 40}),
        ),
        (
            TimedCommand(Refund(account="ann", generation="g3", reason="cancelled"), NOW),
            CLOSED.denied("g3", DenialReason.GENERATION_ENDED, needed=0, available=50),
        ),
        (TimedCommand(Expire(account="ann", grant=1), END), CLOSED.expired(1, 50, at=END)),
        (
            TimedCommand(AdjustCredits(account="ann", corrects=1, amount=50, reference="ticket"), NOW),
            CLOSED.adjusted(1, {1: 50}, AVAILABLE, "issued"),
        ),
        (
            TimedCommand(AdjustCredits(account="ann", corrects=4, amount=10, reference="ticket"), NOW),
            CLOSED.adjusted(4, {1: 10}, "spent", AVAILABLE),
        ),
        (TimedCommand(SetSpendLimits(account="ann", per_day=5), NOW), CLOSED.limited(per_day=5)),
    ],
    ids=["settle", "refund", "ended first", "expire", "take back", "give back", "limits"],
)
def test_open_holds_end_and_corrections_stay_possible(command: TimedCommand, then: Entries) -> None:
    assert decide_on(CLOSED, command) == then.last


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (DEBIT, CLOSED.reopened().debited("g3", {1: 10})),
        (GRANT, CLOSED.reopened().granted(5, reference="new")),
    ],
)
def test_a_reopened_account_takes_debits_and_grants(command: TimedCommand, then: Entries) -> None:
    event: Event | None = decide_on(CLOSED.reopened(), command)
    assert event == then.last


def test_a_denial_while_closed_is_final() -> None:
    given = CLOSED.denied("g3", DenialReason.ACCOUNT_CLOSED, needed=10, available=50).reopened()
    assert decide_on(given, DEBIT) is None
