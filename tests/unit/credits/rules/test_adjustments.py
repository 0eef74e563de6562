"""Corrections are entries of their own: what an earlier entry moved goes back the way it came, never more of it."""

from datetime import datetime, timedelta

import pytest
from tests.support.data.ledger_entries import AVAILABLE, DAY, HOUR, NOW, Entries, decide_on, price

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import AdjustCredits, GrantCredits, Refusal
from telecine_contracts.credits import GrantKind
from telecine_credits.rules.commands import Debit, Expire, TimedCommand
from telecine_credits.rules.errors import LedgerRefused
from telecine_credits.rules.postings import GRACE_PERIOD

END = NOW + 2 * DAY
FUNDED = Entries().granted(100)
SPENT = FUNDED.debited("g1", {1: 40}).settled("g1", {1: 40})
TAKEN_BACK = AVAILABLE, "issued"
GIVEN_BACK = "spent", AVAILABLE
REVIVED = "expired", AVAILABLE


def adjust(corrects: int, amount: int, reference: str = "ticket", at: datetime = NOW) -> TimedCommand:
    return TimedCommand(
        AdjustCredits(account="ann", corrects=corrects, amount=amount, reference=reference), at
    )


def refused(given: Entries, command: TimedCommand) -> tuple[Refusal, str | None, str]:
    with pytest.raises(LedgerRefused) as caught:
        decide_on(given, command)
    return caught.value.refusal, caught.value.field, str(caught.value)


# A grant is taken back


@pytest.mark.parametrize("amount", [1, 60, 100])
def test_a_grant_is_taken_back_in_part_or_whole(amount: int) -> None:
    assert decide_on(FUNDED, adjust(1, amount)) == FUNDED.adjusted(1, {1: amount}, *TAKEN_BACK).last


def test_a_grant_keeps_the_reason_of_its_correction() -> None:
    command = TimedCommand(
        AdjustCredits(account="ann", corrects=1, amount=5, reference="ticket", reason="Paid twice"), NOW
    )
    then = FUNDED.adjusted(1, {1: 5}, *TAKEN_BACK).last.model_copy(update={"reason": "Paid twice"})
    assert decide_on(FUNDED, command) == then


@pytest.mark.parametrize(
    ("given", "available"),
    [
        (FUNDED.debited("g1", {1: 40}), 60),
        (SPENT, 60),
        (FUNDED.adjusted(1, {1: 70}, *TAKEN_BACK, reference="before"), 30),
    ],
    ids=["held", "spent", "taken back before"],
)
def test_at_most_the_available_credits_of_a_grant_are_taken_back(given: Entries, available: int) -> None:
    assert decide_on(given, adjust(1, available)) == given.adjusted(1, {1: available}, *TAKEN_BACK).last
    assert refused(given, adjust(1, available + 1)) == (
        Refusal.NOT_CORRECTABLE,
        "amount",
        f"only {available} of the 100 credits of entry 1 are available",
    )


def test_other_grants_are_not_taken_back() -> None:
    given = FUNDED.granted(100)
    assert decide_on(given, adjust(2, 100)) == given.adjusted(2, {2: 100}, *TAKEN_BACK).last
    assert refused(given, adjust(2, 101))[0] is Refusal.NOT_CORRECTABLE


def test_credits_taken_back_cannot_be_debited() -> None:
    given = FUNDED.adjusted(1, {1: 70}, *TAKEN_BACK)
    command = TimedCommand(Debit(account="ann", generation="g1", price=price(31)), NOW)
    assert decide_on(given, command) == given.denied("g1", needed=31, available=30).last


# A settlement is given back


@pytest.mark.parametrize("amount", [1, 39, 40])
def test_a_settlement_is_given_back_in_part_or_whole(amount: int) -> None:
    assert decide_on(SPENT, adjust(3, amount)) == SPENT.adjusted(3, {1: amount}, *GIVEN_BACK).last


def test_the_last_allocated_credits_of_a_settlement_return_first() -> None:
    given = Entries().granted(10).granted(10).granted(10)
    given = given.debited("g1", {1: 10, 2: 10, 3: 4}).settled("g1", {1: 10, 2: 10, 3: 4})
    first = given.adjusted(5, {2: 2, 3: 4}, *GIVEN_BACK, reference="one")
    assert decide_on(given, adjust(5, 6, "one")) == first.last
    second = first.adjusted(5, {1: 3, 2: 8}, *GIVEN_BACK, reference="two")
    assert decide_on(first, adjust(5, 11, "two")) == second.last
    assert decide_on(second, adjust(5, 7, "three")) == (
        second.adjusted(5, {1: 7}, *GIVEN_BACK, reference="three").last
    )


def test_all_adjustments_of_a_settlement_are_bounded_by_its_amount() -> None:
    assert refused(SPENT, adjust(3, 41))[2] == "only 40 of the credits of entry 3 are left to be given back"
    given = SPENT.adjusted(3, {1: 30}, *GIVEN_BACK, reference="before")
    assert refused(given, adjust(3, 11)) == (
        Refusal.NOT_CORRECTABLE,
        "amount",
        "only 10 of the credits of entry 3 are left to be given back",
    )


def test_returned_credits_can_be_spent_and_returned_again() -> None:
    given = SPENT.adjusted(3, {1: 40}, *GIVEN_BACK).debited("g2", {1: 100}).settled("g2", {1: 100})
    assert decide_on(given, adjust(6, 100, "again")) == (
        given.adjusted(6, {1: 100}, *GIVEN_BACK, reference="again").last
    )
    assert refused(given, adjust(3, 1, "again"))[0] is Refusal.NOT_CORRECTABLE


def test_a_settlement_is_not_given_back_beyond_the_largest_balance() -> None:
    given = SPENT.granted(MAX_CREDITS - 60)
    assert refused(given, adjust(3, 1)) == (
        Refusal.BALANCE_TOO_LARGE,
        "amount",
        f"the balance would exceed {MAX_CREDITS} credits",
    )


def test_credits_returned_after_the_grants_end_have_a_grace_period() -> None:
    given = Entries().granted(40, expires_at=END).debited("g1", {1: 40}).settled("g1", {1: 40})
    at = END + 30 * DAY
    then = given.adjusted(3, {1: 40}, *GIVEN_BACK, usable_until=at + GRACE_PERIOD, at=at)
    assert decide_on(given, adjust(3, 40, at=at)) == then.last
    over = at + GRACE_PERIOD
    assert (
        decide_on(then, TimedCommand(Expire(account="ann", grant=1), over))
        == then.expired(1, 40, at=over).last
    )
    early = END - GRACE_PERIOD
    assert decide_on(given, adjust(3, 40, at=early)) == given.adjusted(3, {1: 40}, *GIVEN_BACK, at=early).last


# An expiry is given back


def test_an_expiry_is_given_back_for_a_day_and_expires_again() -> None:
    given = Entries().granted(40, expires_at=END).expired(1, 40, at=END)
    at = END + DAY
    back = given.adjusted(2, {1: 30}, *REVIVED, usable_until=at + GRACE_PERIOD, at=at)
    assert decide_on(given, adjust(2, 30, at=at)) == back.last
    assert refused(back, adjust(2, 11, "more", at=at))[2] == (
        "only 10 of the credits of entry 2 are left to be given back"
    )
    over = at + GRACE_PERIOD
    again = back.expired(1, 30, at=over)
    assert decide_on(back, TimedCommand(Expire(account="ann", grant=1), over)) == again.last
    then = again.adjusted(4, {1: 30}, *REVIVED, reference="more", usable_until=over + GRACE_PERIOD, at=over)
    assert decide_on(again, adjust(4, 30, "more", at=over)) == then.last


# What can't be corrected, and references


@pytest.mark.parametrize("corrects", [2, 4, 5, 6, 7, 8, 99])
def test_nothing_else_can_be_corrected(corrects: int) -> None:
    given = (
        FUNDED.debited("g1", {1: 40})
        .settled("g1", {1: 40})
        .debited("g2", {1: 10})
        .refunded("g2", {1: 10})
        .denied("g3", needed=61, available=60)
        .adjusted(3, {1: 1}, *GIVEN_BACK, reference="before")
        .closed()
    )
    assert refused(given, adjust(corrects, 1)) == (
        Refusal.NOT_CORRECTABLE,
        "corrects",
        f"entry {corrects} of account ann is not a grant, a settlement or an expiry",
    )


def test_a_reference_adjusts_once() -> None:
    assert decide_on(SPENT.adjusted(3, {1: 40}, *GIVEN_BACK), adjust(3, 40)) is None
    assert decide_on(SPENT.adjusted(1, {1: 60}, *TAKEN_BACK), adjust(1, 60)) is None


@pytest.mark.parametrize("command", [adjust(3, 39), adjust(1, 40)], ids=["amount", "entry"])
def test_a_reference_of_another_adjustment_is_refused(command: TimedCommand) -> None:
    assert refused(SPENT.adjusted(3, {1: 40}, *GIVEN_BACK), command) == (
        Refusal.REFERENCE_CONFLICT,
        "reference",
        "reference 'ticket' was used before, for entry 4: an adjustment of entry 3 by 40 credits",
    )


def test_the_reference_of_a_grant_adjusts_nothing() -> None:
    assert refused(SPENT, adjust(1, 100, "r1")) == (
        Refusal.REFERENCE_CONFLICT,
        "reference",
        "reference 'r1' was used before, for entry 1: a grant",
    )


def test_the_next_grant_is_a_grant_of_its_own() -> None:
    given = FUNDED.adjusted(1, {1: 100}, *TAKEN_BACK)
    command = TimedCommand(
        GrantCredits(account="ann", amount=100, kind=GrantKind.PAID, reference="r1-corrected"), NOW + HOUR
    )
    then = given.granted(100, reference="r1-corrected", at=NOW + HOUR)
    assert decide_on(given, command) == then.last
    spent = then.debited("g1", {3: 100})
    debit = TimedCommand(Debit(account="ann", generation="g1", price=price(100)), NOW)
    assert decide_on(then, debit) == spent.last


def test_a_grant_past_its_end_can_be_taken_back() -> None:
    given = Entries().granted(10, expires_at=NOW)
    at = NOW + timedelta(seconds=1)
    assert decide_on(given, adjust(1, 10, at=at)) == given.adjusted(1, {1: 10}, *TAKEN_BACK, at=at).last
