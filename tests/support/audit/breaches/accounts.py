"""Faults in the state of accounts, between accounts, and in the times of their entries."""

from datetime import timedelta

from tests.support.audit.breaches.cases import Case, price
from tests.support.audit.breaches.planted_ledger import LedgerBuilder

from telecine_auditor.breaches import BreachKind as K

__all__ = ["ACCOUNT_BREACHES"]

MINUTES_5 = timedelta(minutes=5, seconds=1)
AN_HOUR = timedelta(hours=1, seconds=1)


def closed_again(ledger: LedgerBuilder) -> None:
    ledger.granted("carl", 10)
    ledger.closed("carl")
    ledger.closed("carl")


def reopened_when_open(ledger: LedgerBuilder) -> None:
    ledger.add("ann", "reopened", None, reason="")


def charged_to_two(ledger: LedgerBuilder) -> None:
    ledger.debited("bob", "g3", (1, 10))


def charged_to_another_later(ledger: LedgerBuilder) -> None:
    ledger.debited("bob", "g1", (1, 10))
    ledger.settled("bob", "g1", (1, 10))


def denied_to_one(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "g3")


def other_price_by_the_same_table(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), price=price(10, "2025-01", "720p", 40))


def decision_time_ahead(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now - MINUTES_5


def grant_time_ahead(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 10)
    ledger.last.stored = ledger.now - MINUTES_5


def decision_time_behind(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10))
    ledger.last.stored = ledger.now + AN_HOUR


def grant_time_behind(ledger: LedgerBuilder) -> None:
    ledger.granted("ann", 10)
    ledger.last.stored = ledger.now + AN_HOUR


ACCOUNT_BREACHES = (
    Case(K.WRONG_CLOSING, "closed twice", closed_again),
    Case(K.WRONG_CLOSING, "reopened when open", reopened_when_open),
    Case(K.TWO_ACCOUNTS, "both are charged", charged_to_two),
    Case(K.TWO_ACCOUNTS, "both are charged, one after the other", charged_to_another_later, at=-1),
    Case(K.TWO_ACCOUNTS, "denied to one", denied_to_one),
    Case(K.WRONG_PRICE, "another by the same table, which is unknown", other_price_by_the_same_table),
    Case(K.WRONG_TIME, "the clock ran ahead", decision_time_ahead),
    Case(K.WRONG_TIME, "the clock ran ahead of a grant", grant_time_ahead),
    Case(K.WRONG_TIME, "the clock was behind", decision_time_behind),
    Case(K.WRONG_TIME, "the clock was behind for a grant", grant_time_behind),
)
