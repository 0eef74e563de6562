"""The ledger, rule by rule: given entries, when a command, then a whole entry, a refusal, or nothing."""

from datetime import UTC, datetime
from functools import reduce

import pytest

from telecine_contracts import MAX_CREDITS, Event
from telecine_contracts.credits import (
    Balances,
    CreditsDebited,
    CreditsDenied,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    GrantKind,
    Posting,
)
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.pricing import Price
from telecine_credits.domain import (
    Account,
    Command,
    Debit,
    Grant,
    GrantRefused,
    NotDebited,
    Refund,
    Settle,
    decide,
    evolve,
)

Given = tuple[Event, ...]
EXPIRY = datetime(2027, 1, 1, tzinfo=UTC)


def price(credits: int) -> Price:
    return Price(credits=credits, table="2026-11", resolution="720p", duration=5)


def when(given: Given, command: Command) -> Event | None:
    return decide(command, reduce(evolve, given, Account()))


def legs(amount: int, source: str, target: str) -> tuple[Posting, Posting]:
    return Posting(account=source, amount=-amount), Posting(account=target, amount=amount)


def granted(
    amount: int, entry: int = 1, *, available: int | None = None, held: int = 0, reference: str = "r1"
) -> CreditsGranted:
    return CreditsGranted(
        account="ann",
        entry=entry,
        postings=legs(amount, "issued", "ann:available"),
        balances=Balances(available=amount if available is None else available, held=held),
        amount=amount,
        kind=GrantKind.PAID,
        reference=reference,
        reason="",
    )


def debited(generation: str, amount: int, entry: int, *, available: int, held: int) -> CreditsDebited:
    return CreditsDebited(
        account="ann",
        entry=entry,
        postings=legs(amount, "ann:available", "ann:held"),
        balances=Balances(available=available, held=held),
        generation=generation,
        amount=amount,
        price=price(amount),
    )


def denied(
    generation: str, entry: int, *, available: int, needed: int, held: int = 0,
    reason: DenialReason = DenialReason.INSUFFICIENT_CREDITS,
) -> CreditsDenied:  # fmt: skip
    return CreditsDenied(
        account="ann",
        entry=entry,
        postings=(),
        balances=Balances(available=available, held=held),
        generation=generation,
        reason=reason,
        needed=needed,
        available=available,
    )


def settled(generation: str, amount: int, entry: int, *, available: int, held: int) -> CreditsSettled:
    return CreditsSettled(
        account="ann",
        entry=entry,
        postings=legs(amount, "ann:held", "spent"),
        balances=Balances(available=available, held=held),
        generation=generation,
        amount=amount,
    )


def refunded(generation: str, amount: int, entry: int, *, available: int, held: int) -> CreditsRefunded:
    return CreditsRefunded(
        account="ann",
        entry=entry,
        postings=legs(amount, "ann:held", "ann:available"),
        balances=Balances(available=available, held=held),
        generation=generation,
        amount=amount,
        reason="deadline",
    )


NEW: Given = ()
FUNDED: Given = (granted(100),)
HELD: Given = (*FUNDED, debited("g1", 40, 2, available=60, held=40))
SETTLED: Given = (*HELD, settled("g1", 40, 3, available=60, held=0))
REFUNDED: Given = (*HELD, refunded("g1", 40, 3, available=100, held=0))
POOR: Given = (granted(39),)
DENIED: Given = (*POOR, denied("g1", 2, available=39, needed=40))
ENDED_FIRST: Given = (
    *FUNDED,
    denied("g1", 2, available=100, needed=0, reason=DenialReason.GENERATION_ENDED),
)
TWO_HELD: Given = (*HELD, debited("g2", 60, 3, available=0, held=100))

GRANT = Grant("ann", 25, GrantKind.PAID, "r2")
DEBIT = Debit("ann", "g1", price(40))
SETTLE = Settle("ann", "g1")
REFUND = Refund("ann", "g1", "deadline")


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (NEW, granted(25, reference="r2")),
        (FUNDED, granted(25, 2, available=125, reference="r2")),
        (HELD, granted(25, 3, available=85, held=40, reference="r2")),
        (SETTLED, granted(25, 4, available=85, reference="r2")),
        (DENIED, granted(25, 3, available=64, reference="r2")),
    ],
    ids=["new", "funded", "held", "settled", "denied"],
)
def test_a_grant_adds_to_what_is_available(given: Given, then: Event) -> None:
    assert when(given, GRANT) == then


def test_a_grant_keeps_its_kind_reason_and_expiry() -> None:
    command = Grant("ann", 5, GrantKind.PROMOTIONAL, "welcome", "Welcome", EXPIRY)
    assert when(NEW, command) == CreditsGranted(
        account="ann",
        entry=1,
        postings=legs(5, "issued", "ann:available"),
        balances=Balances(available=5, held=0),
        amount=5,
        kind=GrantKind.PROMOTIONAL,
        reference="welcome",
        reason="Welcome",
        expires_at=EXPIRY,
    )


def test_a_reference_grants_once() -> None:
    assert when(FUNDED, Grant("ann", 100, GrantKind.PAID, "r1")) is None


def test_a_reference_of_another_amount_is_refused() -> None:
    with pytest.raises(GrantRefused, match="'r1' was granted before, with 100 credits"):
        when(FUNDED, Grant("ann", 101, GrantKind.PAID, "r1"))


@pytest.mark.parametrize("amount", [0, -1])
def test_a_grant_of_nothing_is_refused(amount: int) -> None:
    with pytest.raises(GrantRefused, match="1 credit or more"):
        when(FUNDED, Grant("ann", amount, GrantKind.PAID, "r2"))


@pytest.mark.parametrize("given", [FUNDED, HELD], ids=["available", "held"])
def test_a_grant_beyond_the_largest_balance_is_refused(given: Given) -> None:
    most = MAX_CREDITS - 100
    assert when(given, Grant("ann", most, GrantKind.PAID, "r2")) is not None
    with pytest.raises(GrantRefused, match=str(MAX_CREDITS)):
        when(given, Grant("ann", most + 1, GrantKind.PAID, "r2"))


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (NEW, denied("g1", 1, available=0, needed=40)),
        (POOR, denied("g1", 2, available=39, needed=40)),
        ((granted(40),), debited("g1", 40, 2, available=0, held=40)),
        (FUNDED, debited("g1", 40, 2, available=60, held=40)),
        (
            (*FUNDED, debited("g2", 61, 2, available=39, held=61)),
            denied("g1", 3, available=39, needed=40, held=61),
        ),
    ],
    ids=["new", "one short", "exactly enough", "more than enough", "held does not count"],
)
def test_a_debit_is_granted_or_denied_in_one_entry(given: Given, then: Event) -> None:
    assert when(given, DEBIT) == then


@pytest.mark.parametrize("given", [HELD, SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_debit_is_decided_once(given: Given) -> None:
    assert when(given, DEBIT) is None


def test_a_denial_stays_when_credits_come_later() -> None:
    assert when((*DENIED, granted(100, 3, available=139, reference="r2")), DEBIT) is None


def test_a_delivery_spends_what_was_held() -> None:
    assert when(HELD, SETTLE) == settled("g1", 40, 3, available=60, held=0)
    assert when(TWO_HELD, Settle("ann", "g2")) == settled("g2", 60, 4, available=0, held=40)


@pytest.mark.parametrize("given", [SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_delivery_after_the_end_changes_nothing(given: Given) -> None:
    assert when(given, SETTLE) is None


@pytest.mark.parametrize("given", [NEW, FUNDED, (granted(100), debited("g2", 40, 2, available=60, held=40))])
def test_a_delivery_that_was_never_debited_is_refused(given: Given) -> None:
    with pytest.raises(NotDebited, match="generation g1"):
        when(given, SETTLE)


def test_a_refund_gives_back_what_was_held() -> None:
    assert when(HELD, REFUND) == refunded("g1", 40, 3, available=100, held=0)
    assert when(TWO_HELD, REFUND) == refunded("g1", 40, 4, available=40, held=60)


@pytest.mark.parametrize("given", [SETTLED, REFUNDED, DENIED, ENDED_FIRST])
def test_a_refund_after_the_end_changes_nothing(given: Given) -> None:
    assert when(given, REFUND) is None


@pytest.mark.parametrize(("given", "entry", "available"), [(NEW, 1, 0), (FUNDED, 2, 100)])
def test_a_generation_that_ended_before_its_debit_is_denied_it(
    given: Given, entry: int, available: int
) -> None:
    then = denied("g1", entry, available=available, needed=0, reason=DenialReason.GENERATION_ENDED)
    assert when(given, REFUND) == then


def test_events_of_other_streams_leave_an_account_as_it_is() -> None:
    account = reduce(evolve, HELD, Account())
    assert evolve(account, CancelRequested(account="ann", generation="g1")) is account
