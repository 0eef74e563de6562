"""Times of decisions: tolerated clock skew, and restored streams."""

from datetime import timedelta

import pytest
from tests.support.audit.breaches.cases import append_valid_entries, clean_ledger
from tests.support.audit.breaches.planted_ledger import DAY, HOUR, LedgerBuilder
from tests.support.audit.large_ledger import large_ledger
from tests.support.audit.random_histories import audit_entries

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.clock_skew import ClockSkew
from telecine_auditor.ledger.replay import LedgerReplay

FOR_AGES = 999_999_999 * DAY


def restored(ledger: LedgerBuilder) -> None:
    """Sets the time of storage of all entries to one second, a year later."""
    for line in ledger.lines:
        line.stored = ledger.now + 365 * DAY


def judged(ledger: LedgerBuilder, clocks: ClockSkew) -> list[Breach]:
    found: list[Breach] = []
    replay = LedgerReplay(found.append, clocks)
    for entry in ledger.entries():
        replay.take(entry)
    return found


@pytest.mark.parametrize("apart", [timedelta(minutes=-60), timedelta(minutes=-5), timedelta(minutes=5)])
def test_clock_skew_and_slow_appends_are_tolerated(apart: timedelta) -> None:
    ledger = clean_ledger()
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now - min(apart, timedelta(minutes=5))

    assert audit_entries(ledger.entries())[1] == []


def test_restored_entries_are_counted_and_not_a_breach() -> None:
    ledger = clean_ledger()
    append_valid_entries(ledger)
    restored(ledger)

    replay, found = audit_entries(ledger.entries())

    assert (found, replay.clocks.restored) == ([], len(ledger.lines))


def test_entries_after_a_restore_are_compared_with_their_time_of_storage() -> None:
    ledger = clean_ledger()
    restored(ledger)
    before = len(ledger.lines)
    ledger.now += 366 * DAY
    ledger.granted("bob", 10)
    ledger.granted("bob", 20)
    ledger.last.stored = ledger.now + 2 * HOUR

    replay, found = audit_entries(ledger.entries())

    assert [(breach.kind, breach.sequence) for breach in found] == [(BreachKind.WRONG_TIME, before + 2)]
    assert replay.clocks.restored == before


def test_decisions_of_a_restored_account_do_not_go_back_in_time() -> None:
    """A debit that is dated back, so that an expired grant can pay."""
    ledger = clean_ledger()
    grant = ledger.granted("ann", 30, expires_at=(ledger.now + HOUR).isoformat())
    ledger.now += 2 * HOUR
    ledger.limited("ann", per_day=500)
    ledger.now -= 2 * HOUR
    ledger.debited("ann", "g6", (grant, 30))
    planted = len(ledger.lines)
    ledger.now += 3 * HOUR
    ledger.debited("ann", "g7", (2, 10))
    restored(ledger)

    _, found = audit_entries(ledger.entries())

    assert [(breach.kind, breach.sequence) for breach in found] == [(BreachKind.WRONG_TIME, planted)]


def test_a_single_wrong_time_is_reported_once() -> None:
    ledger = clean_ledger()
    ledger.now += 365 * DAY
    ledger.granted("ann", 10)
    ledger.last.stored = ledger.now - 365 * DAY
    ledger.now -= 365 * DAY
    append_valid_entries(ledger)

    _, found = audit_entries(ledger.entries())

    assert [breach.kind for breach in found] == [BreachKind.WRONG_TIME]


def test_the_allowed_skew_is_configurable() -> None:
    ledger = clean_ledger()
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now - timedelta(minutes=10)
    ledger.debited("ann", "g5", (1, 10))
    ledger.last.stored = ledger.now + timedelta(minutes=30)

    assert len(judged(ledger, ClockSkew())) == 1
    assert len(judged(ledger, ClockSkew(behind=timedelta(minutes=20)))) == 2
    assert judged(ledger, ClockSkew(ahead=timedelta(minutes=10))) == []
    assert judged(ledger, ClockSkew(FOR_AGES, FOR_AGES)) == []


def test_a_copy_with_times_of_storage_set_back_is_a_breach() -> None:
    """Otherwise its overdue holds would never be reported."""
    entries = [entry._replace(stored_at=0) for entry in large_ledger(50)]

    _, found = audit_entries(entries)

    assert [breach.kind for breach in found] == [BreachKind.WRONG_TIME] * 50
