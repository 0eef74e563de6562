"""Checks at the end of the ledger: overdue holds and expiries."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.account import Account

__all__ = ["EXPIRY_DELAY", "find_overdue"]

EXPIRY_DELAY = timedelta(hours=1)
"""Default for how late an expiry may be; a timer writes it."""


def find_overdue(
    accounts: Iterable[Account],
    now: datetime,
    hold_limit: timedelta,
    expiry_delay: timedelta = EXPIRY_DELAY,
) -> Iterator[Breach]:
    """Holds older than `hold_limit`, and credits that should have expired more than `expiry_delay` ago."""
    for account in accounts:
        for hold in account.holds.values():
            if now - hold.since > hold_limit:
                yield Breach(
                    BreachKind.DEBIT_WITHOUT_END,
                    f"{hold.amount} held since {hold.since.isoformat()}, longer than {hold_limit}",
                    sequence=hold.debited,
                    account=account.name,
                    generation=hold.generation,
                )
        # A missing entry may be the expiry, so incomplete accounts are left out.
        for grant in () if account.incomplete else account.available_grants:
            if grant.usable_until is not None and grant.usable_until < now - expiry_delay:
                yield Breach(
                    BreachKind.EXPIRY_OVERDUE,
                    f"{grant.available} of grant {grant.number} should have expired at {grant.usable_until}",
                    sequence=grant.sequence,
                    account=account.name,
                )
