"""Which rule judges and applies which entries, by the last token of their subject."""

from collections.abc import Callable

from . import rules_of_accounts as accounts
from . import rules_of_adjustments as adjustments
from . import rules_of_debits as debits
from . import rules_of_denials as denials
from . import rules_of_ends as ends
from . import rules_of_grants as grants
from .account_book import AccountBook
from .findings import Findings
from .reading import Reading

__all__ = ["RULES", "Rule"]

Rule = Callable[[Findings, AccountBook, Reading], None]

RULES: dict[str, Rule] = {
    "granted": grants.granted,
    "debited": debits.debited,
    "denied": denials.denied,
    "settled": ends.settled,
    "refunded": ends.refunded,
    "expired": grants.expired,
    "adjusted": adjustments.adjusted,
    "closed": accounts.closed,
    "reopened": accounts.reopened,
    "limits_set": accounts.limits_set,
    "skipped": accounts.skipped,
}
