"""A ledger that was begun before entries named their grants goes on under the rules that came later."""

from dataclasses import replace
from datetime import datetime

from hypothesis import given
from tests.support.data.ledger_entries import AVAILABLE, DAY, HOUR, NOW, Entries, decide_on, fold, price
from tests.support.data.ledger_histories import execute_history, histories

from telecine_contracts.credits import DenialReason, GrantKind, LimitPeriod, LimitReached, LimitScope
from telecine_credits.rules.decider import GRACE, Adjust, Command, Debit, Expire, Grant, Refund, Settle

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


def refund(at: datetime = NOW, generation: str = "g1") -> Refund:
    return Refund(account="ann", at=at, generation=generation, reason="deadline")


def debit(credits: int, at: datetime = NOW) -> Debit:
    return Debit(account="ann", at=at, generation="new", price=price(credits))


def test_old_entries_neither_name_grants_nor_say_when() -> None:
    assert {leg.grant for entry in OLD.all for leg in entry.postings} == {None}
    assert {entry.decided_at for entry in OLD.all} == {None}
    assert [len(entry.postings) for entry in OLD.all] == [2] * 6


def test_what_an_old_debit_took_goes_back_to_the_grants_that_paid_by_the_rule() -> None:
    at = END - GRACE
    assert decide_on(OLD, refund(at)) == OLD.refunded("g1", {3: 20, 2: 10, 1: 5}, at=at).last


def test_what_an_old_debit_took_is_settled_by_grant() -> None:
    command = Settle(account="ann", at=NOW, generation="g1")
    assert decide_on(OLD, command) == OLD.settled("g1", {3: 20, 2: 10, 1: 5}).last


def test_a_debit_after_it_names_its_grants() -> None:
    assert decide_on(OLD, debit(30)) == OLD.debited("new", {1: 30}).last
    assert decide_on(OLD, debit(31)) == OLD.denied("new", needed=31, available=30).last


def test_an_old_debit_took_from_grants_whose_time_was_over_too() -> None:
    """0.1 did not heed expiry, so it may have been so; nobody can tell when it was decided."""
    given = Entries().granted(10).granted(10, expires_at=NOW - DAY).debited("g1", {2: 10, 1: 2})
    given = given.as_before_grants_were_named()
    assert decide_on(given, refund()) == given.refunded("g1", {2: 10, 1: 2}, usable_until=NOW + GRACE).last


def test_an_old_grant_expires() -> None:
    given = Entries().granted(10, expires_at=END).debited("g1", {1: 4}).as_before_grants_were_named()
    assert decide_on(given, Expire(account="ann", at=END, grant=1)) == given.expired(1, 6, at=END).last
    at = END + HOUR
    assert decide_on(given, refund(at)) == given.refunded("g1", {1: 4}, usable_until=at + GRACE, at=at).last


def test_a_time_that_was_written_without_its_zone_is_in_utc() -> None:
    given = Entries().granted(10, expires_at=END.replace(tzinfo=None)).as_before_grants_were_named()
    assert decide_on(given, debit(10, at=END - HOUR)) == given.debited("new", {1: 10}, at=END - HOUR).last
    assert decide_on(given, debit(1, at=END)) == given.denied("new", needed=1, available=0, at=END).last
    again = Grant(account="ann", at=NOW, amount=10, kind=PAID, reference="r1", expires_at=END)
    assert decide_on(given, again) is None


def test_an_old_reference_still_grants_once() -> None:
    assert decide_on(OLD, Grant(account="ann", at=NOW, amount=50, kind=PAID, reference="r1")) is None


def test_an_old_settlement_and_an_old_grant_can_be_corrected() -> None:
    give = Adjust(account="ann", at=NOW, corrects=6, amount=15, reference="ticket")
    assert decide_on(OLD, give) == OLD.adjusted(6, {1: 15}, "spent", AVAILABLE).last
    take = Adjust(account="ann", at=NOW, corrects=1, amount=30, reference="ticket")
    assert decide_on(OLD, take) == OLD.adjusted(1, {1: 30}, AVAILABLE, "issued").last


def test_old_debits_use_nothing_of_a_days_limit() -> None:
    given = OLD.limited(per_day=10)
    assert decide_on(given, debit(10)) == given.debited("new", {1: 10}).last
    full = LimitReached(scope=LimitScope.ACCOUNT, per=LimitPeriod.DAY, limit=10, used=0)
    then = given.denied("new", DenialReason.SPEND_LIMIT, needed=11, available=30, limit=full)
    assert decide_on(given, debit(11)) == then.last
    after = given.refunded("g1", {3: 20, 2: 10, 1: 5}).debited("g3", {3: 10})
    assert decide_on(after, debit(1)) is not None
    assert fold(after).used("", NOW) == 10


@given(histories)
def test_old_entries_fold_to_what_named_ones_do(history: list[Command]) -> None:
    """As long as no grant expires, which 0.1 knew nothing of."""
    known = Grant | Debit | Settle | Refund
    plain = [
        replace(command, expires_at=None) if isinstance(command, Grant) else command
        for command in history
        if isinstance(command, known)
    ]
    entries, account = execute_history(plain)
    old = fold(Entries(tuple(entries)).as_before_grants_were_named())
    assert (old.grants, old.funded, old.available, old.held) == (
        account.grants,
        account.funded,
        account.available,
        account.held,
    )
    assert {name: hold.parts for name, hold in old.holds.items()} == {
        name: hold.parts for name, hold in account.holds.items()
    }
