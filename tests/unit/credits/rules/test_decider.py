"""The ledger, rule by rule: given entries, when a command, then a whole entry, a refusal, or nothing."""

from datetime import datetime, timedelta, timezone

import pytest
from tests.support.data.ledger_entries import DAY, HOUR, NOW, Entries, decide_on, fold, price

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import GrantCredits, Refusal
from telecine_contracts.credits import DenialReason, GrantKind
from telecine_contracts.gateway import CancelRequested
from telecine_credits.rules.account import evolve
from telecine_credits.rules.commands import Debit, Refund, Settle, TimedCommand
from telecine_credits.rules.errors import LedgerRefused, NotDebited

NEW = Entries()
FUNDED = NEW.granted(100)
HELD = FUNDED.debited("g1", {1: 40})
SETTLED = HELD.settled("g1", {1: 40})
REFUNDED = HELD.refunded("g1", {1: 40})
POOR = NEW.granted(39)
DENIED = POOR.denied("g1", needed=40, available=39)
ENDED_FIRST = FUNDED.denied("g1", DenialReason.GENERATION_ENDED, needed=0, available=100)
TWO_HELD = HELD.debited("g2", {1: 60})


def grant(
    amount: int = 25,
    reference: str = "new",
    kind: GrantKind = GrantKind.PAID,
    expires_at: datetime | None = None,
) -> TimedCommand:
    return TimedCommand(
        GrantCredits(account="ann", amount=amount, kind=kind, reference=reference, expires_at=expires_at), NOW
    )


def debit(generation: str = "g1", credits: int = 40) -> TimedCommand:
    return TimedCommand(Debit(account="ann", generation=generation, price=price(credits)), NOW)


def settle(generation: str = "g1") -> TimedCommand:
    return TimedCommand(Settle(account="ann", generation=generation), NOW)


def refund(generation: str = "g1") -> TimedCommand:
    return TimedCommand(Refund(account="ann", generation=generation, reason="deadline"), NOW)


def refused(given: Entries, command: TimedCommand) -> tuple[Refusal, str | None, str]:
    with pytest.raises(LedgerRefused) as caught:
        decide_on(given, command)
    return caught.value.refusal, caught.value.field, str(caught.value)


# Grants


@pytest.mark.parametrize(
    "given", [NEW, FUNDED, HELD, SETTLED, DENIED], ids=["new", "funded", "held", "settled", "denied"]
)
def test_a_grant_adds_to_what_is_available(given: Entries) -> None:
    assert decide_on(given, grant()) == given.granted(25, reference="new").last


def test_a_grant_keeps_its_kind_reason_and_expiry() -> None:
    command = TimedCommand(
        GrantCredits(
            account="ann",
            amount=5,
            kind=GrantKind.PROMOTIONAL,
            reference="welcome",
            reason="Welcome",
            expires_at=NOW + DAY,
        ),
        NOW,
    )
    assert (
        decide_on(NEW, command)
        == NEW.granted(
            5, kind=GrantKind.PROMOTIONAL, reference="welcome", reason="Welcome", expires_at=NOW + DAY
        ).last
    )


@pytest.mark.parametrize("given", [FUNDED, HELD], ids=["available", "held"])
def test_a_grant_beyond_the_largest_balance_is_refused(given: Entries) -> None:
    most = MAX_CREDITS - 100
    assert decide_on(given, grant(most)) == given.granted(most, reference="new").last
    assert refused(given, grant(most + 1)) == (
        Refusal.BALANCE_TOO_LARGE,
        "amount",
        f"the balance would exceed {MAX_CREDITS} credits",
    )


def test_spent_credits_do_not_count_for_the_largest_balance() -> None:
    given = NEW.granted(MAX_CREDITS).debited("g1", {1: MAX_CREDITS}).settled("g1", {1: MAX_CREDITS})
    assert decide_on(given, grant(MAX_CREDITS)) == given.granted(MAX_CREDITS, reference="new").last


@pytest.mark.parametrize("late", [timedelta(0), HOUR])
def test_a_grant_that_would_be_over_at_once_is_refused(late: timedelta) -> None:
    assert refused(NEW, grant(expires_at=NOW - late)) == (
        Refusal.INVALID,
        "expires_at",
        "the expiry must be in the future",
    )


# References


def test_a_reference_grants_once() -> None:
    assert decide_on(FUNDED, grant(100, "r1")) is None


def test_a_reference_grants_once_also_when_its_time_is_over() -> None:
    over = NEW.granted(10, expires_at=NOW - HOUR, at=NOW - DAY)
    assert decide_on(over, grant(10, "r1", expires_at=NOW - HOUR)) is None


def test_the_same_expiry_in_another_zone_is_the_same_grant() -> None:
    given = NEW.granted(10, expires_at=NOW + DAY)
    elsewhere = (NOW + DAY).astimezone(timezone(timedelta(hours=5)))
    assert decide_on(given, grant(10, "r1", expires_at=elsewhere)) is None


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            grant(101, "r1", GrantKind.PLAN, NOW + DAY),
            "a grant of 100 plan credits until 2026-06-02T12:00:00",
        ),
        (
            grant(100, "r1", GrantKind.PAID, NOW + DAY),
            "a grant of 100 plan credits until 2026-06-02T12:00:00",
        ),
        (grant(100, "r1", GrantKind.PLAN), "a grant of 100 plan credits until 2026-06-02T12:00:00"),
        (grant(100, "r1", GrantKind.PLAN, NOW + HOUR), "a grant of 100 plan credits until"),
    ],
    ids=["amount", "kind", "no expiry", "other expiry"],
)
def test_a_reference_of_another_grant_is_refused(command: TimedCommand, told: str) -> None:
    given = NEW.granted(100, kind=GrantKind.PLAN, expires_at=NOW + DAY)
    refusal, field, message = refused(given, command)
    assert (refusal, field) == (Refusal.REFERENCE_CONFLICT, "reference")
    assert message.startswith(f"reference 'r1' was used before, for entry 1: {told}")


def test_the_reference_of_an_adjustment_grants_nothing() -> None:
    given = FUNDED.adjusted(1, {1: 25}, "ann:available", "issued", reference="ticket")
    assert refused(given, grant(25, "ticket")) == (
        Refusal.REFERENCE_CONFLICT,
        "reference",
        "reference 'ticket' was used before, for entry 2: an adjustment",
    )


# Debits


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (NEW, NEW.denied("g1", needed=40, available=0)),
        (POOR, POOR.denied("g1", needed=40, available=39)),
        (NEW.granted(40), NEW.granted(40).debited("g1", {1: 40})),
        (FUNDED, FUNDED.debited("g1", {1: 40})),
        (
            FUNDED.debited("g2", {1: 61}),
            FUNDED.debited("g2", {1: 61}).denied("g1", needed=40, available=39),
        ),
    ],
    ids=["new", "one short", "exactly enough", "more than enough", "held does not count"],
)
def test_a_debit_is_made_or_denied_in_one_entry(given: Entries, then: Entries) -> None:
    assert decide_on(given, debit()) == then.last


def test_a_debit_names_its_api_key() -> None:
    command = TimedCommand(Debit(account="ann", generation="g1", price=price(40), api_key="k1"), NOW)
    assert decide_on(FUNDED, command) == FUNDED.debited("g1", {1: 40}, api_key="k1").last


@pytest.mark.parametrize("given", [HELD, SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_debit_is_decided_once(given: Entries) -> None:
    assert decide_on(given, debit()) is None


def test_a_denial_stays_when_credits_come_later() -> None:
    assert decide_on(DENIED.granted(100), debit()) is None


# Ends


def test_a_delivery_spends_what_was_held() -> None:
    assert decide_on(HELD, settle()) == HELD.settled("g1", {1: 40}).last
    assert decide_on(TWO_HELD, settle("g2")) == TWO_HELD.settled("g2", {1: 60}).last


@pytest.mark.parametrize("given", [SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_delivery_after_the_end_changes_nothing(given: Entries) -> None:
    assert decide_on(given, settle()) is None


@pytest.mark.parametrize("given", [NEW, FUNDED, FUNDED.debited("g2", {1: 40})])
def test_a_delivery_that_was_never_debited_is_refused(given: Entries) -> None:
    with pytest.raises(NotDebited, match="generation g1"):
        decide_on(given, settle())


def test_a_refund_gives_back_what_was_held() -> None:
    assert decide_on(HELD, refund()) == HELD.refunded("g1", {1: 40}).last
    assert decide_on(TWO_HELD, refund()) == TWO_HELD.refunded("g1", {1: 40}).last


@pytest.mark.parametrize("given", [SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_refund_after_the_end_changes_nothing(given: Entries) -> None:
    assert decide_on(given, refund()) is None


@pytest.mark.parametrize(("given", "available"), [(NEW, 0), (FUNDED, 100)])
def test_a_generation_that_ended_before_its_debit_is_denied_it(given: Entries, available: int) -> None:
    then = given.denied("g1", DenialReason.GENERATION_ENDED, needed=0, available=available)
    assert decide_on(given, refund()) == then.last


def test_events_of_other_streams_leave_an_account_as_it_is() -> None:
    account = fold(HELD)
    assert evolve(account, CancelRequested(account="ann", generation="g1")) is account
