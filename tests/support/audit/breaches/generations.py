"""Faults in debits and their ends, in denials, and in what limits and closing forbid."""

from datetime import timedelta

from tests.support.audit.breaches.cases import Case, debit_running_generation, price, timestamp_after
from tests.support.audit.breaches.planted_ledger import DAY, HOUR, LedgerBuilder

from telecine_auditor.breaches import BreachKind as K

__all__ = ["GENERATION_BREACHES"]


def other_price(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), price=price(9, "2025-01"))


def own_price(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 39), price=price(49))


def price_of_nothing(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), price=price(10, resolution="8K"))


def debit_while_running(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g3", (2, 10))


def debit_of_the_ended(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g1", (2, 10))


def debit_of_the_denied(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7")
    ledger.debited("bob", "b7", (1, 10))


def settled_again(ledger: LedgerBuilder) -> None:
    ledger.settled("ann", "g1", (2, 50))


def refunded_again(ledger: LedgerBuilder) -> None:
    ledger.refunded("ann", "g2", (2, 50), (1, 20))


def refund_of_the_settled(ledger: LedgerBuilder) -> None:
    ledger.refunded("ann", "g1", (2, 50))


def settlement_of_the_refunded(ledger: LedgerBuilder) -> None:
    ledger.settled("ann", "g2", (2, 50), (1, 20))


def settlement_of_nothing(ledger: LedgerBuilder) -> None:
    ledger.settled("ann", "g9", (2, 10))


def refund_of_the_denied(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7")
    ledger.refunded("bob", "b7", (1, 10))


def less_refunded(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 50))


def more_refunded(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 70))


def refunded_to_another_grant(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.refunded("ann", "g4", (1, 70))


def refunded_to_no_grant(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.refunded("ann", "g4", (77, 70))


def refund_that_prolongs_nothing(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.refunded("ann", "g4", (2, 10), (1, 60), usable_until=timestamp_after(ledger, DAY))


def refund_that_does_not_prolong(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, 20 * HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.refunded("ann", "g4", (grant, 30))


def refund_that_prolongs_too_much(ledger: LedgerBuilder) -> None:
    grant = ledger.granted("ann", 30, expires_at=timestamp_after(ledger, 20 * HOUR))
    ledger.debited("ann", "g4", (grant, 30))
    ledger.refunded("ann", "g4", (grant, 30), usable_until=timestamp_after(ledger, 2 * DAY))


def less_settled(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.settled("ann", "g4", (2, 10), (1, 50))


def settled_from_another_grant(ledger: LedgerBuilder) -> None:
    debit_running_generation(ledger)
    ledger.settled("ann", "g4", (1, 70))


GENERATIONS = [
    Case(K.WRONG_PRICE, "another than the frozen one", other_price),
    Case(K.WRONG_PRICE, "frozen, but not by the table", own_price),
    Case(K.WRONG_PRICE, "nothing that is sold", price_of_nothing),
    Case(K.DEBITED_TWICE, "while it runs", debit_while_running),
    Case(K.DEBITED_TWICE, "after it ended", debit_of_the_ended),
    Case(K.DEBITED_TWICE, "after it was denied", debit_of_the_denied),
    Case(K.ENDED_TWICE, "settled again", settled_again),
    Case(K.ENDED_TWICE, "refunded again", refunded_again),
    Case(K.SETTLED_AND_REFUNDED, "refunded, was settled", refund_of_the_settled),
    Case(K.SETTLED_AND_REFUNDED, "settled, was refunded", settlement_of_the_refunded),
    Case(K.END_WITHOUT_DEBIT, "settled", settlement_of_nothing),
    Case(K.END_WITHOUT_DEBIT, "refunded, was denied", refund_of_the_denied),
    Case(K.WRONG_REFUND, "less", less_refunded),
    Case(K.WRONG_REFUND, "more", more_refunded),
    Case(K.WRONG_REFUND, "to another grant", refunded_to_another_grant),
    Case(K.WRONG_REFUND, "to no grant", refunded_to_no_grant),
    Case(K.WRONG_REFUND, "prolongs what never expires", refund_that_prolongs_nothing),
    Case(K.WRONG_REFUND, "does not prolong", refund_that_does_not_prolong),
    Case(K.WRONG_REFUND, "prolongs too much", refund_that_prolongs_too_much),
    Case(K.WRONG_SETTLEMENT, "less", less_settled),
    Case(K.WRONG_SETTLEMENT, "from another grant", settled_from_another_grant),
    Case(K.DEBIT_WITHOUT_END, "a day later", debit_running_generation, after=25 * HOUR),
]


def denied_though_it_could_pay(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7", needed=150)


def denied_with_other_figures(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7", available=149)


def denied_while_it_runs(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b1")


def denied_again(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7")
    ledger.denied("bob", "b7")


def denied_as_closed(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7", reason="account_closed", needed=50)


def insufficient_credits_denial_while_closed(ledger: LedgerBuilder) -> None:
    ledger.closed("ann")
    ledger.denied("ann", "g7")


def denied_for_a_price_after_the_end(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7", reason="generation_ended", needed=50)


def denied_by_no_limit(ledger: LedgerBuilder) -> None:
    ledger.denied("bob", "b7", reason="spend_limit", needed=50)


def denied_by_a_limit_not_reached(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", per_day=190)
    limit = {"scope": "account", "per": "day", "limit": 190, "used": 90}
    ledger.denied("ann", "g7", reason="spend_limit", needed=100, limit=limit)


def denied_by_anothers_limit(ledger: LedgerBuilder) -> None:
    ledger.limited("bob", api_key="key_a", per_generation=60)
    limit = {"scope": "account", "per": "generation", "limit": 60, "used": 0}
    ledger.denied("bob", "b7", reason="spend_limit", needed=61, limit=limit)


def insufficient_credits_denial_despite_limit(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", per_generation=100)
    ledger.denied("ann", "g7")


def charged_while_closed(ledger: LedgerBuilder) -> None:
    ledger.closed("ann")
    ledger.debited("ann", "g7", (2, 10))


def granted_while_closed(ledger: LedgerBuilder) -> None:
    ledger.closed("ann")
    ledger.granted("ann", 10)


def past_daily_limit(ledger: LedgerBuilder) -> None:
    """50 and 40 count for today, 70 were refunded."""
    ledger.limited("ann", per_day=100)
    ledger.debited("ann", "g7", (2, 10))
    ledger.debited("ann", "g8", (1, 1))


def past_daily_key_limit(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", api_key="key_a", per_day=10)
    ledger.debited("ann", "g6", (2, 8), api_key="key_b")
    ledger.debited("ann", "g7", (2, 2), (1, 7), api_key="key_a")
    ledger.debited("ann", "g8", (1, 2), api_key="key_a")


def past_generation_limit(ledger: LedgerBuilder) -> None:
    ledger.limited("ann", per_generation=10)
    ledger.debited("ann", "g7", (2, 10), (1, 1))


def past_daily_limit_with_slow_clock(ledger: LedgerBuilder) -> None:
    """The clock of a replica is late: its debit counts for the day that has begun."""
    ledger.limited("ann", per_day=100)
    ledger.now += 11 * HOUR + timedelta(minutes=50)
    ledger.debited("ann", "g7", (2, 10), (1, 50))
    ledger.now -= timedelta(minutes=40)
    ledger.debited("ann", "g8", (1, 41))


LIMITS = [
    Case(K.WRONG_DENIAL, "it could pay", denied_though_it_could_pay),
    Case(K.WRONG_DENIAL, "other figures", denied_with_other_figures),
    Case(K.WRONG_DENIAL, "it runs", denied_while_it_runs),
    Case(K.WRONG_DENIAL, "again", denied_again),
    Case(K.WRONG_DENIAL, "not closed", denied_as_closed),
    Case(K.WRONG_DENIAL, "closed comes first", insufficient_credits_denial_while_closed),
    Case(K.WRONG_DENIAL, "an end costs nothing", denied_for_a_price_after_the_end),
    Case(K.WRONG_DENIAL, "no limit", denied_by_no_limit),
    Case(K.WRONG_DENIAL, "a limit not reached", denied_by_a_limit_not_reached),
    Case(K.WRONG_DENIAL, "another's limit", denied_by_anothers_limit),
    Case(K.WRONG_DENIAL, "a limit comes first", insufficient_credits_denial_despite_limit),
    Case(K.CHARGED_WHILE_CLOSED, "a generation", charged_while_closed),
    Case(K.CHARGED_WHILE_CLOSED, "a grant", granted_while_closed),
    Case(K.LIMIT_PASSED, "of the day", past_daily_limit),
    Case(K.LIMIT_PASSED, "of an API key's day", past_daily_key_limit),
    Case(K.LIMIT_PASSED, "of a generation", past_generation_limit),
    Case(K.LIMIT_PASSED, "a day does not come back", past_daily_limit_with_slow_clock),
]

GENERATION_BREACHES = (*GENERATIONS, *LIMITS)
