"""A closed account is charged nothing and granted nothing; what runs ends as ever, and its history stays."""

import pytest
from tests.support.data.ledger_entries import AVAILABLE, DAY, NOW, Entries, decide_on, price

from telecine_contracts import Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import DenialReason, GrantKind, LimitPeriod, LimitReached, LimitScope
from telecine_credits.rules.decider import (
    Adjust,
    Close,
    Command,
    Debit,
    Expire,
    Grant,
    LedgerRefused,
    Refund,
    Reopen,
    SetLimits,
    Settle,
)

END = NOW + DAY
OPEN = (
    Entries()
    .granted(100, expires_at=END)
    .debited("g1", {1: 40})
    .debited("g2", {1: 10})
    .settled("g2", {1: 10})
)
CLOSED = OPEN.closed("Asked for by mail")
CLOSE = Close(account="ann", at=NOW, reason="Asked for by mail")
REOPEN = Reopen(account="ann", at=NOW, reason="Came back")
DEBIT = Debit(account="ann", at=NOW, generation="g3", price=price(10))
GRANT = Grant(account="ann", at=NOW, amount=5, kind=GrantKind.PAID, reference="new")


def test_an_account_that_was_never_granted_anything_is_not_closed() -> None:
    with pytest.raises(LedgerRefused, match="there is no account ann") as caught:
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
    command = Debit(account="ann", at=NOW, generation="g3", price=price(1000))
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


def test_a_grant_from_before_is_answered_as_ever() -> None:
    again = Grant(account="ann", at=NOW, amount=100, kind=GrantKind.PAID, reference="r1", expires_at=END)
    assert decide_on(CLOSED, again) is None


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (Settle(account="ann", at=NOW, generation="g1"), CLOSED.settled("g1", {1: 40})),
        (
            Refund(account="ann", at=NOW, generation="g1", reason="deadline"),
            CLOSED.refunded("g1", {1: 40}),
        ),
        (
            Refund(account="ann", at=NOW, generation="g3", reason="cancelled"),
            CLOSED.denied("g3", DenialReason.GENERATION_ENDED, needed=0, available=50),
        ),
        (Expire(account="ann", at=END, grant=1), CLOSED.expired(1, 50, at=END)),
        (
            Adjust(account="ann", at=NOW, corrects=1, amount=50, reference="ticket"),
            CLOSED.adjusted(1, {1: 50}, AVAILABLE, "issued"),
        ),
        (
            Adjust(account="ann", at=NOW, corrects=4, amount=10, reference="ticket"),
            CLOSED.adjusted(4, {1: 10}, "spent", AVAILABLE),
        ),
        (SetLimits(account="ann", at=NOW, per_day=5), CLOSED.limited(per_day=5)),
    ],
    ids=["settle", "refund", "ended first", "expire", "take back", "give back", "limits"],
)
def test_open_holds_end_and_corrections_stay_possible(command: Command, then: Entries) -> None:
    assert decide_on(CLOSED, command) == then.last


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (DEBIT, CLOSED.reopened().debited("g3", {1: 10})),
        (GRANT, CLOSED.reopened().granted(5, reference="new")),
    ],
)
def test_a_reopened_account_is_like_any_other(command: Command, then: Entries) -> None:
    event: Event | None = decide_on(CLOSED.reopened(), command)
    assert event == then.last


def test_what_was_denied_while_it_was_closed_stays_denied() -> None:
    given = CLOSED.denied("g3", DenialReason.ACCOUNT_CLOSED, needed=10, available=50).reopened()
    assert decide_on(given, DEBIT) is None
