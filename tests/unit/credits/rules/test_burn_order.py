"""Which grants pay a debit, and that a refund gives each its part back."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.data.ledger_entries import DAY, HOUR, NOW, Entries, decide_on, price

from telecine_contracts.credits import GrantKind
from telecine_credits.rules.commands import Debit, Refund, Settle, TimedCommand

PAID, PROMOTIONAL, PLAN = GrantKind.PAID, GrantKind.PROMOTIONAL, GrantKind.PLAN
SOON, LATER = NOW + 2 * DAY, NOW + 20 * DAY


def grants(*asked: tuple[int, GrantKind, datetime | None]) -> Entries:
    entries = Entries()
    for amount, kind, expires_at in asked:
        entries = entries.granted(amount, kind=kind, expires_at=expires_at, at=NOW - DAY)
    return entries


def debit(credits: int, generation: str = "g1", at: datetime = NOW) -> TimedCommand:
    return TimedCommand(Debit(account="ann", generation=generation, price=price(credits)), at)


def test_the_grant_that_expires_first_pays_first() -> None:
    given = grants((10, PROMOTIONAL, None), (10, PAID, LATER), (10, PAID, SOON))
    assert decide_on(given, debit(25)) == given.debited("g1", {3: 10, 2: 10, 1: 5}).last


def test_kind_orders_grants_that_expire_together() -> None:
    given = grants((10, PAID, SOON), (10, PLAN, SOON), (10, PROMOTIONAL, SOON))
    assert decide_on(given, debit(25)) == given.debited("g1", {3: 10, 2: 10, 1: 5}).last


def test_kind_orders_grants_that_never_expire() -> None:
    given = grants((10, PAID, None), (10, PLAN, None), (10, PROMOTIONAL, None))
    assert decide_on(given, debit(25)) == given.debited("g1", {3: 10, 2: 10, 1: 5}).last


def test_the_largest_expiry_pays_before_no_expiry() -> None:
    given = grants((10, PROMOTIONAL, None), (10, PAID, datetime.max.replace(tzinfo=UTC)))
    assert decide_on(given, debit(15)) == given.debited("g1", {2: 10, 1: 5}).last


def test_of_the_same_kind_the_oldest_pays_first() -> None:
    given = grants((10, PAID, None), (10, PAID, None), (10, PAID, None))
    assert decide_on(given, debit(15)) == given.debited("g1", {1: 10, 2: 5}).last


@pytest.mark.parametrize(
    ("credits", "parts"), [(1, {1: 1}), (10, {1: 10}), (11, {1: 10, 2: 1}), (20, {1: 10, 2: 10})]
)
def test_a_grant_is_used_up_before_the_next(credits: int, parts: dict[int, int]) -> None:
    given = grants((10, PAID, None), (10, PAID, None))
    assert decide_on(given, debit(credits)) == given.debited("g1", parts).last


def test_held_and_spent_credits_are_not_debited_again() -> None:
    given = grants((10, PAID, None), (10, PAID, None)).debited("g1", {1: 8}).settled("g1", {1: 8})
    assert decide_on(given, debit(5, "g2")) == given.debited("g2", {1: 2, 2: 3}).last


def test_a_grant_past_its_end_pays_nothing_before_it_expires() -> None:
    given = grants((10, PAID, NOW + HOUR), (10, PAID, None))
    assert decide_on(given, debit(10, at=NOW + HOUR)) == given.debited("g1", {2: 10}, at=NOW + HOUR).last
    then = given.denied("g1", needed=11, available=10, at=NOW + HOUR)
    assert decide_on(given, debit(11, at=NOW + HOUR)) == then.last


def test_a_grant_pays_up_to_the_moment_when_its_time_is_over() -> None:
    given = grants((10, PAID, NOW + HOUR), (10, PAID, None))
    at = NOW + HOUR - timedelta(microseconds=1)
    assert decide_on(given, debit(11, at=at)) == given.debited("g1", {1: 10, 2: 1}, at=at).last


def test_when_the_clock_goes_back_what_was_decided_stays() -> None:
    given = grants((10, PAID, NOW), (10, PAID, None)).expired(1, 10, at=NOW)
    earlier = NOW - HOUR
    assert decide_on(given, debit(10, at=earlier)) == given.debited("g1", {2: 10}, at=earlier).last


def test_each_grant_gets_back_what_it_paid_also_after_others_came_and_paid() -> None:
    given = (
        grants((10, PAID, LATER), (10, PROMOTIONAL, None))
        .debited("g1", {1: 10, 2: 3})
        .granted(50, expires_at=LATER - DAY)
        .debited("g2", {4: 50, 2: 2})
    )
    refund = TimedCommand(Refund(account="ann", generation="g1", reason="deadline"), NOW)
    assert decide_on(given, refund) == given.refunded("g1", {1: 10, 2: 3}).last
    refund = TimedCommand(Refund(account="ann", generation="g2", reason="deadline"), NOW)
    assert decide_on(given, refund) == given.refunded("g2", {4: 50, 2: 2}).last


def test_refunded_credits_are_debited_in_burn_order() -> None:
    given = grants((10, PAID, None), (10, PAID, None)).debited("g1", {1: 10, 2: 5})
    given = given.refunded("g1", {1: 10, 2: 5})
    assert decide_on(given, debit(12, "g2")) == given.debited("g2", {1: 10, 2: 2}).last


def test_a_settlement_spends_of_each_grant_what_it_paid() -> None:
    given = grants((10, PAID, None), (10, PAID, None)).debited("g1", {1: 10, 2: 5})
    settle = TimedCommand(Settle(account="ann", generation="g1"), NOW)
    assert decide_on(given, settle) == given.settled("g1", {1: 10, 2: 5}).last
