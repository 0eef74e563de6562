"""Faults in which grants pay, expire and are corrected."""

from datetime import timedelta

from tests.support.audit.breaches.cases import Case, debit_running_generation, timestamp_after
from tests.support.audit.breaches.planted_ledger import DAY, HOUR, LedgerBuilder

from telecine_auditor.breaches import BreachKind as K

__all__ = ["GRANT_BREACHES"]


def reference_of_grant(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 10, reference="r1")


def reference_of_adjustment(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 1, ":available", (1, 5), reference="r1")


def unknown_grant(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (77, 10))


def overdrawn_grant(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 11))


def wrong_order(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (1, 10))


def later_expiry_first(ledger: LedgerBuilder) -> None:
    soon = ledger.granted("ann", 10, expires_at=timestamp_after(ledger, DAY))
    late = ledger.granted("ann", 10, kind="promotional", expires_at=timestamp_after(ledger, 2 * DAY))
    ledger.debited("ann", "g4", (late, 10))
    assert soon < late


def too_much_of_the_second(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 5), (1, 5))


def paid_by_an_expired_grant(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))
    ledger.now += HOUR
    ledger.debited("ann", "g4", (grant, 30))


def unnamed_grant(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    for leg in ledger.last.body["postings"]:
        del leg["grant"]


def account_in_old_format(ledger: LedgerBuilder) -> None:
    """Others name their grants by now."""
    ledger.granted("carl", 10)
    for leg in ledger.last.body["postings"]:
        del leg["grant"]


def expired_early(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, DAY))
    ledger.expired("ann", grant, 30)


def never_expired(ledger: LedgerBuilder) -> None:
    ledger.expired("ann", 2, 10)


def early_after_a_refund(ledger: LedgerBuilder) -> None:
    """Its own time is over, but a refund made it usable for a day."""
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.now += 2 * HOUR
    ledger.refunded(
        "ann", "g4", (grant, 30), usable_until=timestamp_after(ledger, DAY + timedelta(minutes=1))
    )
    ledger.expired("ann", grant, 30)


def expiry_of_more(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))
    ledger.now += HOUR
    ledger.expired("ann", grant, 31)


def expiry_of_nothing(ledger: LedgerBuilder) -> None:
    ledger.expired("ann", 77, 1)


def no_expiry(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))


GRANTS = [
    Case(K.REFERENCE_USED_TWICE, "by a grant", reference_of_grant),
    Case(K.REFERENCE_USED_TWICE, "by an adjustment", reference_of_adjustment),
    Case(K.GRANT_UNKNOWN, "takes from it", unknown_grant),
    Case(K.GRANT_UNKNOWN, "it expires", expiry_of_nothing),
    Case(K.GRANT_OVERDRAWN, "takes more than it has", overdrawn_grant),
    Case(K.GRANT_OVERDRAWN, "more expires than it has", expiry_of_more),
    Case(K.GRANT_ORDER, "paid before promotional", wrong_order),
    Case(K.GRANT_ORDER, "what expires later first", later_expiry_first),
    Case(K.GRANT_ORDER, "too little of the first", too_much_of_the_second),
    Case(K.GRANT_EXPIRED, "takes from it at its last moment", paid_by_an_expired_grant),
    Case(K.GRANT_NOT_NAMED, "as if it were of old", unnamed_grant),
    Case(K.GRANT_NOT_NAMED, "a new account as if it were of old", account_in_old_format),
    Case(K.EXPIRED_EARLY, "before its time", expired_early),
    Case(K.EXPIRED_EARLY, "never expires", never_expired),
    Case(K.EXPIRED_EARLY, "credits came back", early_after_a_refund),
    Case(K.EXPIRY_OVERDUE, "still available", no_expiry, after=3 * HOUR),
]


def adjusts_a_debit(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 3, "spent", (2, 5))


def adjusts_unknown_entry(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 99, ":available", (2, 5))


def takes_back_more_than_available(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 2, ":available", (2, 11))


def gives_back_more_than_settled(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 4, "spent", (2, 30))
    ledger.adjusted("ann", 4, "spent", (2, 21))


def gives_back_in_the_wrong_order(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.settled("ann", "g4", (2, 10), (1, 60))
    ledger.adjusted("ann", ledger.numbers["ann"], "spent", (2, 10))


def gives_back_to_another(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 4, "spent", (1, 5))


def gives_back_and_prolongs(ledger: LedgerBuilder) -> None:
    ledger.adjusted("ann", 4, "spent", (2, 5), usable_until=timestamp_after(ledger, DAY))


def gives_back_more_than_expired(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, HOUR))
    ledger.now += 2 * HOUR
    ledger.expired("ann", grant, 30)
    until = timestamp_after(ledger, DAY + timedelta(minutes=1))
    ledger.adjusted("ann", ledger.numbers["ann"], "expired", (grant, 31), usable_until=until)


ADJUSTMENTS = [
    Case(K.WRONG_ADJUSTMENT, "of a debit", adjusts_a_debit),
    Case(K.WRONG_ADJUSTMENT, "of nothing", adjusts_unknown_entry),
    Case(K.WRONG_ADJUSTMENT, "of spent credits of a grant", takes_back_more_than_available),
    Case(K.WRONG_ADJUSTMENT, "more than was settled", gives_back_more_than_settled),
    Case(K.WRONG_ADJUSTMENT, "more than expired", gives_back_more_than_expired),
    Case(K.WRONG_ADJUSTMENT, "first taken first", gives_back_in_the_wrong_order),
    Case(K.WRONG_ADJUSTMENT, "to another grant", gives_back_to_another),
    Case(K.WRONG_ADJUSTMENT, "prolongs what never expires", gives_back_and_prolongs),
]

GRANT_BREACHES = (*GRANTS, *ADJUSTMENTS)
