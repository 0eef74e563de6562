"""Spend limits, per account and per API key, per day of UTC and per generation, decided with the debit."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.support.data.ledger_entries import DAY, HOUR, NOW, Entries, decide_on, price

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import SetSpendLimits
from telecine_contracts.credits import DenialReason, LimitPeriod, LimitReached, LimitScope
from telecine_credits.rules.commands import Debit, TimedCommand

FUNDED = Entries().granted(1000)
DAILY = FUNDED.limited(per_day=100)
MIDNIGHT = datetime(2026, 6, 2, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
ACCOUNT, KEY = LimitScope.ACCOUNT, LimitScope.API_KEY
A_DAY, A_GENERATION = LimitPeriod.DAY, LimitPeriod.GENERATION


def debit(
    credits: int, generation: str = "new", at: datetime = NOW, api_key: str | None = None
) -> TimedCommand:
    return TimedCommand(
        Debit(account="ann", generation=generation, price=price(credits), api_key=api_key), at
    )


def set_limits(
    api_key: str | None = None, *, per_day: int | None = None, per_generation: int | None = None
) -> TimedCommand:
    return TimedCommand(
        SetSpendLimits(account="ann", api_key=api_key, per_day=per_day, per_generation=per_generation), NOW
    )


def denied(
    given: Entries,
    needed: int,
    reached: tuple[LimitScope, LimitPeriod, int, int],
    *,
    at: datetime = NOW,
) -> Entries:
    """Whose limit, over what, how much it is, how much was used."""
    scope, per, limit, used = reached
    return given.denied(
        "new",
        DenialReason.SPEND_LIMIT,
        needed=needed,
        available=given.last.balances.available,
        limit=LimitReached(scope=scope, per=per, limit=limit, used=used),
        at=at,
    )


# Setting them


def test_limits_are_set_once() -> None:
    then = FUNDED.limited(per_day=100, per_generation=50)
    assert decide_on(FUNDED, set_limits(per_day=100, per_generation=50)) == then.last
    assert decide_on(then, set_limits(per_day=100, per_generation=50)) is None


def test_limits_replace_those_before_and_absent_ones_are_lifted() -> None:
    given = FUNDED.limited(per_day=100, per_generation=50)
    then = given.limited(per_generation=60)
    assert decide_on(given, set_limits(per_generation=60)) == then.last
    assert decide_on(then, debit(60)) == then.debited("new", {1: 60}).last
    lifted = then.limited()
    assert decide_on(then, set_limits()) == lifted.last
    assert decide_on(lifted, debit(1000)) == lifted.debited("new", {1: 1000}).last


def test_no_limits_are_not_set_where_there_are_none() -> None:
    assert decide_on(FUNDED, set_limits()) is None
    assert decide_on(FUNDED, set_limits("k1")) is None


def test_a_key_has_limits_of_its_own() -> None:
    then = DAILY.limited(per_day=100, api_key="k1")
    assert decide_on(DAILY, set_limits("k1", per_day=100)) == then.last


# A generation


def test_a_generation_may_cost_as_much_as_the_limit_says() -> None:
    given = FUNDED.limited(per_generation=50)
    assert decide_on(given, debit(50)) == given.debited("new", {1: 50}).last
    assert decide_on(given, debit(51)) == denied(given, 51, (ACCOUNT, A_GENERATION, 50, 0)).last


def test_a_limit_of_nothing_denies_everything() -> None:
    given = FUNDED.limited(per_generation=0)
    assert decide_on(given, debit(1)) == denied(given, 1, (ACCOUNT, A_GENERATION, 0, 0)).last


# A day


def test_debits_of_a_day_add_up() -> None:
    given = DAILY.debited("g1", {1: 30}).debited("g2", {1: 30}).settled("g1", {1: 30})
    assert decide_on(given, debit(40)) == given.debited("new", {1: 40}).last
    assert decide_on(given, debit(41)) == denied(given, 41, (ACCOUNT, A_DAY, 100, 60)).last


def test_debits_from_before_the_limit_count() -> None:
    given = FUNDED.debited("g1", {1: 90}).limited(per_day=100)
    assert decide_on(given, debit(11)) == denied(given, 11, (ACCOUNT, A_DAY, 100, 90)).last


def test_a_limit_below_what_was_used_denies_until_the_next_day() -> None:
    given = FUNDED.debited("g1", {1: 90}).limited(per_day=10)
    assert decide_on(given, debit(1)) == denied(given, 1, (ACCOUNT, A_DAY, 10, 90)).last
    assert decide_on(given, debit(10, at=MIDNIGHT)) == given.debited("new", {1: 10}, at=MIDNIGHT).last


def test_the_day_ends_at_midnight_utc() -> None:
    before = MIDNIGHT - MOMENT
    given = DAILY.debited("g1", {1: 100}, at=before)
    assert (
        decide_on(given, debit(1, at=before)) == denied(given, 1, (ACCOUNT, A_DAY, 100, 100), at=before).last
    )
    assert decide_on(given, debit(100, at=MIDNIGHT)) == given.debited("new", {1: 100}, at=MIDNIGHT).last


def test_the_day_is_one_of_utc_wherever_the_clock_stands() -> None:
    tokyo = timezone(timedelta(hours=9))
    given = DAILY.debited("g1", {1: 100}, at=NOW.astimezone(tokyo))
    at = (MIDNIGHT - HOUR).astimezone(tokyo)
    assert at.date() == MIDNIGHT.date()
    assert decide_on(given, debit(1, at=at)) == denied(given, 1, (ACCOUNT, A_DAY, 100, 100), at=at).last


def test_denials_use_nothing() -> None:
    given = denied(DAILY, 101, (ACCOUNT, A_DAY, 100, 0))
    command = debit(100, "other")
    assert decide_on(given, command) == given.debited("other", {1: 100}).last


def test_a_refund_makes_room_on_the_day_of_its_debit() -> None:
    given = DAILY.debited("g1", {1: 60}).debited("g2", {1: 40}).refunded("g1", {1: 60})
    assert decide_on(given, debit(60)) == given.debited("new", {1: 60}).last
    assert decide_on(given, debit(61)) == denied(given, 61, (ACCOUNT, A_DAY, 100, 40)).last


def test_a_refund_makes_no_room_on_another_day() -> None:
    given = (
        DAILY.debited("g1", {1: 60}, at=MIDNIGHT - HOUR)
        .debited("g2", {1: 100}, at=MIDNIGHT)
        .refunded("g1", {1: 60}, at=MIDNIGHT)
    )
    at = MIDNIGHT + HOUR
    assert decide_on(given, debit(1, at=at)) == denied(given, 1, (ACCOUNT, A_DAY, 100, 100), at=at).last


def test_settled_credits_that_are_given_back_make_no_room() -> None:
    given = DAILY.debited("g1", {1: 100}).settled("g1", {1: 100})
    given = given.adjusted(4, {1: 100}, "spent", "ann:available")
    assert decide_on(given, debit(1)) == denied(given, 1, (ACCOUNT, A_DAY, 100, 100)).last


def test_a_day_that_has_begun_goes_on_when_the_clock_goes_back() -> None:
    given = DAILY.debited("g1", {1: 30}, at=MIDNIGHT - HOUR).debited("g2", {1: 80}, at=MIDNIGHT)
    back = MIDNIGHT - HOUR
    assert decide_on(given, debit(21, at=back)) == denied(given, 21, (ACCOUNT, A_DAY, 100, 80), at=back).last
    then = given.debited("new", {1: 20}, at=back)
    assert decide_on(given, debit(20, at=back)) == then.last
    again = debit(1, "other", at=MIDNIGHT)
    full = LimitReached(scope=ACCOUNT, per=A_DAY, limit=100, used=100)
    denial = then.denied("other", DenialReason.SPEND_LIMIT, needed=1, available=870, limit=full, at=MIDNIGHT)
    assert decide_on(then, again) == denial.last


def test_the_day_of_the_account_is_also_that_of_its_keys() -> None:
    given = (
        FUNDED.limited(per_day=100, api_key="k1")
        .debited("g1", {1: 90}, at=MIDNIGHT - HOUR, api_key="k1")
        .debited("g2", {1: 10}, at=MIDNIGHT)
    )
    back = MIDNIGHT - HOUR
    then = given.debited("new", {1: 50}, at=back, api_key="k1")
    assert decide_on(given, debit(50, at=back, api_key="k1")) == then.last


# Keys


def test_the_limit_of_a_key_applies_to_that_key_only() -> None:
    given = FUNDED.limited(per_day=100, api_key="k1").debited("g1", {1: 80}, api_key="k1")
    given = given.debited("g2", {1: 500}, api_key="k2").debited("g3", {1: 100})
    reached = KEY, A_DAY, 100, 80
    assert decide_on(given, debit(21, api_key="k1")) == denied(given, 21, reached).last
    assert decide_on(given, debit(20, api_key="k1")) == given.debited("new", {1: 20}, api_key="k1").last
    assert decide_on(given, debit(320, api_key="k2")) == given.debited("new", {1: 320}, api_key="k2").last
    assert decide_on(given, debit(320)) == given.debited("new", {1: 320}).last


def test_debits_of_keys_count_for_the_account() -> None:
    given = DAILY.debited("g1", {1: 60}, api_key="k1").debited("g2", {1: 40}, api_key="k2")
    reached = ACCOUNT, A_DAY, 100, 100
    assert decide_on(given, debit(1, api_key="k3")) == denied(given, 1, reached).last


def test_a_refund_counts_for_the_limit_of_its_key() -> None:
    given = FUNDED.limited(per_day=100, api_key="k1").debited("g1", {1: 100}, api_key="k1")
    given = given.refunded("g1", {1: 100})
    assert decide_on(given, debit(100, api_key="k1")) == given.debited("new", {1: 100}, api_key="k1").last


@pytest.mark.parametrize(
    ("credits", "reached"),
    [
        (50, (ACCOUNT, A_GENERATION, 40, 0)),
        (35, (ACCOUNT, A_DAY, 60, 30)),
        (25, (KEY, A_GENERATION, 20, 0)),
        (15, (KEY, A_DAY, 40, 30)),
    ],
)
def test_of_several_limits_the_accounts_is_named_before_the_keys(
    credits: int, reached: tuple[LimitScope, LimitPeriod, int, int]
) -> None:
    given = (
        FUNDED.limited(per_day=60, per_generation=40)
        .limited(per_day=40, per_generation=20, api_key="k1")
        .debited("g1", {1: 30}, api_key="k1")
    )
    assert decide_on(given, debit(credits, api_key="k1")) == denied(given, credits, reached).last


def test_a_limit_is_named_before_missing_credits() -> None:
    given = Entries().granted(10).limited(per_generation=20)
    assert decide_on(given, debit(30)) == denied(given, 30, (ACCOUNT, A_GENERATION, 20, 0)).last
    assert decide_on(given, debit(20)) == given.denied("new", needed=20, available=10).last


def test_the_used_amount_is_capped_at_the_largest_balance() -> None:
    most = MAX_CREDITS
    given = Entries().granted(most).debited("g1", {1: most}).settled("g1", {1: most})
    given = given.granted(most).debited("g2", {4: most}).limited(per_day=1)
    assert decide_on(given, debit(1)) == denied(given, 1, (ACCOUNT, A_DAY, 1, most)).last


def test_distant_days_do_not_add_up() -> None:
    given = DAILY.debited("g1", {1: 100})
    later = NOW + 400 * DAY
    assert decide_on(given, debit(100, at=later)) == given.debited("new", {1: 100}, at=later).last
