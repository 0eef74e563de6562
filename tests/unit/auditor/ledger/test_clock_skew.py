"""When entries were decided: what the clocks may differ by, and streams whose entries were stored anew."""

from datetime import timedelta

import pytest
from tests.support.audit.breaches.cases import clean, continued
from tests.support.audit.breaches.planted_ledger import DAY, HOUR, Planted
from tests.support.audit.large_ledger import large_ledger
from tests.support.audit.random_histories import audited

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.clock_skew import Clocks
from telecine_auditor.ledger.replay import Books

FOR_AGES = 999_999_999 * DAY


def restored(ledger: Planted) -> None:
    """Every entry so far was stored within one second, a year later."""
    for line in ledger.lines:
        line.stored = ledger.now + 365 * DAY


def judged(ledger: Planted, clocks: Clocks) -> list[Breach]:
    found: list[Breach] = []
    books = Books(found.append, clocks)
    for entry in ledger.entries():
        books.take(entry)
    return found


@pytest.mark.parametrize("apart", [timedelta(minutes=-60), timedelta(minutes=-5), timedelta(minutes=5)])
def test_clocks_may_differ_and_an_append_may_take_a_while(apart: timedelta) -> None:
    ledger = clean()
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now - min(apart, timedelta(minutes=5))

    assert audited(ledger.entries())[1] == []


def test_a_restored_ledger_is_no_breach_and_its_times_are_counted() -> None:
    ledger = clean()
    continued(ledger)
    restored(ledger)

    books, found = audited(ledger.entries())

    assert (found, books.clocks.restored) == ([], len(ledger.lines))


def test_what_comes_after_a_restore_is_judged_by_its_time_of_storing_again() -> None:
    ledger = clean()
    restored(ledger)
    before = len(ledger.lines)
    ledger.now += 366 * DAY
    ledger.granted("bob", 10)
    ledger.granted("bob", 20)
    ledger.last.stored = ledger.now + 2 * HOUR

    books, found = audited(ledger.entries())

    assert [(breach.kind, breach.sequence) for breach in found] == [(BreachKind.WRONG_TIME, before + 2)]
    assert books.clocks.restored == before


def test_in_a_restored_ledger_no_account_goes_back_in_time() -> None:
    """A debit that is dated back, so that a grant can pay whose time was over."""
    ledger = clean()
    grant = ledger.granted("ann", 30, expires_at=(ledger.now + HOUR).isoformat())
    ledger.now += 2 * HOUR
    ledger.limited("ann", per_day=500)
    ledger.now -= 2 * HOUR
    ledger.debited("ann", "g6", (grant, 30))
    planted = len(ledger.lines)
    ledger.now += 3 * HOUR
    ledger.debited("ann", "g7", (2, 10))
    restored(ledger)

    _, found = audited(ledger.entries())

    assert [(breach.kind, breach.sequence) for breach in found] == [(BreachKind.WRONG_TIME, planted)]


def test_a_time_that_is_wrong_once_is_said_once() -> None:
    ledger = clean()
    ledger.now += 365 * DAY
    ledger.granted("ann", 10)
    ledger.last.stored = ledger.now - 365 * DAY
    ledger.now -= 365 * DAY
    continued(ledger)

    _, found = audited(ledger.entries())

    assert [breach.kind for breach in found] == [BreachKind.WRONG_TIME]


def test_how_far_clocks_may_differ_is_for_the_auditor_to_say() -> None:
    ledger = clean()
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now - timedelta(minutes=10)
    ledger.debited("ann", "g5", (1, 10))
    ledger.last.stored = ledger.now + timedelta(minutes=30)

    assert len(judged(ledger, Clocks())) == 1
    assert len(judged(ledger, Clocks(behind=timedelta(minutes=20)))) == 2
    assert judged(ledger, Clocks(ahead=timedelta(minutes=10))) == []
    assert judged(ledger, Clocks(FOR_AGES, FOR_AGES)) == []


def test_a_copy_whose_times_of_storing_were_all_set_back_is_not_believed() -> None:
    """Else what is overdue in it would never be."""
    entries = [entry._replace(stored_at=0) for entry in large_ledger(50)]

    _, found = audited(entries)

    assert [breach.kind for breach in found] == [BreachKind.WRONG_TIME] * 50
