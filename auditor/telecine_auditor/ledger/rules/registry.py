"""Which rule judges and applies which entries, by the last token of their subject."""

from collections.abc import Callable

from telecine_auditor.ledger.account import AccountBook
from telecine_auditor.ledger.event_parser import Reading

from . import accounts as accounts
from . import adjustments as adjustments
from . import debits as debits
from . import denials as denials
from . import endings as ends
from . import grants as grants
from .context import Findings

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
