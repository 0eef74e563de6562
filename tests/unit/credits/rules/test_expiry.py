"""Credits expire when the time of their grant is over; those that come back then can be spent for a day."""

from datetime import datetime, timedelta

import pytest
from tests.support.data.ledger_entries import DAY, HOUR, NOW, Entries, decide_on, price

from telecine_credits.rules.commands import Debit, Expire, Refund, TimedCommand
from telecine_credits.rules.postings import GRACE_PERIOD

MOMENT = timedelta(microseconds=1)
END = NOW + 2 * DAY
GRANTED = Entries().granted(100, expires_at=END)
HELD = GRANTED.debited("g1", {1: 40})


def expire(at: datetime, grant: int = 1) -> TimedCommand:
    return TimedCommand(Expire(account="ann", grant=grant), at)


def refund(at: datetime) -> TimedCommand:
    return TimedCommand(Refund(account="ann", generation="g1", reason="deadline"), at)


def debit(at: datetime, credits: int) -> TimedCommand:
    return TimedCommand(Debit(account="ann", generation="g2", price=price(credits)), at)


@pytest.mark.parametrize("at", [END, END + DAY])
def test_all_that_is_left_expires_when_the_time_is_over(at: datetime) -> None:
    assert decide_on(GRANTED, expire(at)) == GRANTED.expired(1, 100, at=at).last


def test_held_credits_stay_held() -> None:
    assert decide_on(HELD, expire(END)) == HELD.expired(1, 60, at=END).last


def test_another_grant_is_left_alone() -> None:
    given = GRANTED.granted(30, expires_at=END + HOUR).granted(7)
    assert decide_on(given, expire(END)) == given.expired(1, 100, at=END).last


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (GRANTED, expire(END - MOMENT)),
        (GRANTED.expired(1, 100, at=END), expire(END)),
        (GRANTED.debited("g1", {1: 100}), expire(END)),
        (Entries().granted(100), expire(END + 1000 * DAY)),
        (GRANTED, expire(END, grant=2)),
        (HELD, expire(END, grant=2)),
    ],
    ids=["not yet", "expired", "nothing left", "never", "unknown", "no grant"],
)
def test_expire_without_anything_due_is_a_no_op(given: Entries, command: TimedCommand) -> None:
    assert decide_on(given, command) is None


# Credits that come back


def test_a_refund_long_before_the_end_leaves_the_times_alone() -> None:
    at = END - GRACE_PERIOD
    assert decide_on(HELD, refund(at)) == HELD.refunded("g1", {1: 40}, at=at).last


@pytest.mark.parametrize("at", [END - GRACE_PERIOD + MOMENT, END - HOUR, END, END + 30 * DAY])
def test_a_refund_near_or_after_the_end_has_a_grace_period(at: datetime) -> None:
    assert (
        decide_on(HELD, refund(at))
        == HELD.refunded("g1", {1: 40}, usable_until=at + GRACE_PERIOD, at=at).last
    )


def test_refunded_credits_expire_after_the_grace_period() -> None:
    back = END + HOUR
    given = HELD.expired(1, 60, at=END).refunded("g1", {1: 40}, usable_until=back + GRACE_PERIOD, at=back)
    last = back + GRACE_PERIOD - MOMENT
    assert decide_on(given, debit(last, 40)) == given.debited("g2", {1: 40}, at=last).last
    assert decide_on(given, expire(last)) is None
    over = back + GRACE_PERIOD
    assert decide_on(given, debit(over, 1)) == given.denied("g2", needed=1, available=0, at=over).last
    assert decide_on(given, expire(over)) == given.expired(1, 40, at=over).last


def test_the_grace_period_covers_the_whole_grant() -> None:
    back = END - HOUR
    given = HELD.refunded("g1", {1: 40}, usable_until=back + GRACE_PERIOD, at=back)
    at = END + HOUR
    assert decide_on(given, debit(at, 100)) == given.debited("g2", {1: 100}, at=at).last
    assert decide_on(given, expire(at)) is None


def test_a_grant_expires_again_after_each_refund() -> None:
    first = END + HOUR
    second = first + GRACE_PERIOD + HOUR
    given = (
        HELD.debited("g2", {1: 60})
        .refunded("g1", {1: 40}, usable_until=first + GRACE_PERIOD, at=first)
        .expired(1, 40, at=first + GRACE_PERIOD)
        .refunded("g2", {1: 60}, usable_until=second + GRACE_PERIOD, at=second)
    )
    assert decide_on(given, expire(second + GRACE_PERIOD - MOMENT)) is None
    assert (
        decide_on(given, expire(second + GRACE_PERIOD)) == given.expired(1, 60, at=second + GRACE_PERIOD).last
    )


def test_a_later_expiry_or_none_is_kept() -> None:
    given = Entries().granted(10, expires_at=END).granted(10, expires_at=END + 9 * DAY).granted(10)
    given = given.debited("g1", {1: 10, 2: 10, 3: 10})
    assert decide_on(given, refund(END)) == (
        given.refunded("g1", {1: 10, 2: 10, 3: 10}, usable_until=END + GRACE_PERIOD, at=END).last
    )
    after = given.refunded("g1", {1: 10, 2: 10, 3: 10}, usable_until=END + GRACE_PERIOD, at=END)
    at = END + GRACE_PERIOD
    assert decide_on(after, expire(at, 2)) is None
    assert decide_on(after, expire(at, 3)) is None
    assert decide_on(after, debit(at, 20)) == after.debited("g2", {2: 10, 3: 10}, at=at).last
    assert decide_on(after, expire(END + 9 * DAY, 2)) == after.expired(2, 10, at=END + 9 * DAY).last


def test_the_grace_period_applies_to_grants_that_paid_only() -> None:
    given = GRANTED.granted(10, expires_at=END).debited("g1", {1: 100})
    given = given.refunded("g1", {1: 100}, usable_until=END + GRACE_PERIOD, at=END)
    assert decide_on(given, expire(END, 2)) == given.expired(2, 10, at=END).last


def test_an_earlier_refund_does_not_shorten_a_later_grace() -> None:
    """The clock may go back between two refunds."""
    given = Entries().granted(100, expires_at=END).debited("g1", {1: 40}).debited("g2", {1: 60})
    given = given.refunded("g2", {1: 60}, usable_until=END + GRACE_PERIOD + HOUR, at=END + HOUR)
    assert decide_on(given, refund(END)) == given.refunded("g1", {1: 40}, usable_until=None, at=END).last
