"""A ledger that was begun before entries named their grants goes on under the rules that came later."""

from datetime import datetime

from hypothesis import given
from tests.support.data.ledger_entries import AVAILABLE, DAY, HOUR, NOW, Entries, decide_on, fold, price
from tests.support.data.ledger_histories import execute_history, histories

from telecine_contracts.commands import AdjustCredits, GrantCredits
from telecine_contracts.credits import DenialReason, GrantKind, LimitPeriod, LimitReached, LimitScope
from telecine_credits.rules.commands import Command, Debit, Expire, Refund, Settle, TimedCommand
from telecine_credits.rules.postings import GRACE_PERIOD

PAID, PROMOTIONAL, PLAN = GrantKind.PAID, GrantKind.PROMOTIONAL, GrantKind.PLAN
END = NOW + 2 * DAY
OLD = (
    Entries()
    .granted(50)
    .granted(10, kind=PROMOTIONAL)
    .granted(20, expires_at=END)
    .debited("g1", {3: 20, 2: 10, 1: 5})
    .debited("g2", {1: 15})
    .settled("g2", {1: 15})
    .as_before_grants_were_named()
)


def refund(at: datetime = NOW, generation: str = "g1") -> TimedCommand:
    return TimedCommand(Refund(account="ann", generation=generation, reason="deadline"), at)


def debit(credits: int, at: datetime = NOW) -> TimedCommand:
    return TimedCommand(Debit(account="ann", generation="new", price=price(credits)), at)


def test_old_entries_have_no_grants_and_no_decision_time() -> None:
    assert {leg.grant for entry in OLD.all for leg in entry.postings} == {None}
    assert {entry.decided_at for entry in OLD.all} == {None}
    assert [len(entry.postings) for entry in OLD.all] == [2] * 6


def test_an_old_debit_is_refunded_in_burn_order() -> None:
    at = END - GRACE_PERIOD
    assert decide_on(OLD, refund(at)) == OLD.refunded("g1", {3: 20, 2: 10, 1: 5}, at=at).last


def test_an_old_debit_is_settled_by_grant() -> None:
    command = TimedCommand(Settle(account="ann", generation="g1"), NOW)
    assert decide_on(OLD, command) == OLD.settled("g1", {3: 20, 2: 10, 1: 5}).last


def test_a_debit_after_it_names_its_grants() -> None:
    assert decide_on(OLD, debit(30)) == OLD.debited("new", {1: 30}).last
    assert decide_on(OLD, debit(31)) == OLD.denied("new", needed=31, available=30).last


def test_an_old_debit_took_from_grants_whose_time_was_over_too() -> None:
    """0.1 did not check expiry and did not record when it decided."""
    given = Entries().granted(10).granted(10, expires_at=NOW - DAY).debited("g1", {2: 10, 1: 2})
    given = given.as_before_grants_were_named()
    assert (
        decide_on(given, refund())
        == given.refunded("g1", {2: 10, 1: 2}, usable_until=NOW + GRACE_PERIOD).last
    )


def test_an_old_grant_expires() -> None:
    given = Entries().granted(10, expires_at=END).debited("g1", {1: 4}).as_before_grants_were_named()
    assert (
        decide_on(given, TimedCommand(Expire(account="ann", grant=1), END))
        == given.expired(1, 6, at=END).last
    )
    at = END + HOUR
    assert (
        decide_on(given, refund(at))
        == given.refunded("g1", {1: 4}, usable_until=at + GRACE_PERIOD, at=at).last
    )


def test_an_expiry_without_a_zone_is_in_utc() -> None:
    given = Entries().granted(10, expires_at=END.replace(tzinfo=None)).as_before_grants_were_named()
    assert decide_on(given, debit(10, at=END - HOUR)) == given.debited("new", {1: 10}, at=END - HOUR).last
    assert decide_on(given, debit(1, at=END)) == given.denied("new", needed=1, available=0, at=END).last
    again = TimedCommand(
        GrantCredits(account="ann", amount=10, kind=PAID, reference="r1", expires_at=END), NOW
    )
    assert decide_on(given, again) is None


def test_an_old_reference_still_grants_once() -> None:
    assert (
        decide_on(OLD, TimedCommand(GrantCredits(account="ann", amount=50, kind=PAID, reference="r1"), NOW))
        is None
    )


def test_an_old_settlement_and_an_old_grant_can_be_corrected() -> None:
    give = TimedCommand(AdjustCredits(account="ann", corrects=6, amount=15, reference="ticket"), NOW)
    assert decide_on(OLD, give) == OLD.adjusted(6, {1: 15}, "spent", AVAILABLE).last
    take = TimedCommand(AdjustCredits(account="ann", corrects=1, amount=30, reference="ticket"), NOW)
    assert decide_on(OLD, take) == OLD.adjusted(1, {1: 30}, AVAILABLE, "issued").last


def test_old_debits_use_nothing_of_a_days_limit() -> None:
    given = OLD.limited(per_day=10)
    assert decide_on(given, debit(10)) == given.debited("new", {1: 10}).last
    full = LimitReached(scope=LimitScope.ACCOUNT, per=LimitPeriod.DAY, limit=10, used=0)
    then = given.denied("new", DenialReason.SPEND_LIMIT, needed=11, available=30, limit=full)
    assert decide_on(given, debit(11)) == then.last
    after = given.refunded("g1", {3: 20, 2: 10, 1: 5}).debited("g3", {3: 10})
    assert decide_on(after, debit(1)) is not None
    assert fold(after).used_today("", NOW) == 10


def without_expiry(command: Command) -> Command:
    return command.model_copy(update={"expires_at": None}) if isinstance(command, GrantCredits) else command


@given(histories)
def test_old_entries_fold_to_what_named_ones_do(history: list[TimedCommand]) -> None:
    """As long as no grant expires, which 0.1 knew nothing of."""
    known = GrantCredits | Debit | Settle | Refund
    plain = [
        TimedCommand(without_expiry(timed.command), timed.at)
        for timed in history
        if isinstance(timed.command, known)
    ]
    entries, account = execute_history(plain)
    old = fold(Entries(tuple(entries)).as_before_grants_were_named())
    assert (old.grants, old.funded, old.available, old.held) == (
        account.grants,
        account.funded,
        account.available,
        account.held,
    )
    assert {name: hold.shares for name, hold in old.holds.items()} == {
        name: hold.shares for name, hold in account.holds.items()
    }
