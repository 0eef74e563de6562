"""Which rule checks and applies which entries: by the last token of their subject."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telecine_auditor.ledger.account import AccountBook
from telecine_auditor.ledger.event_parser import ACTIONS, Action, Reading
from telecine_auditor.ledger.header_parser import read_with_care
from telecine_auditor.sources.message import CanonicalHeaders, StoredMessage

from . import accounts, adjustments, debits, denials, endings, grants
from .context import Findings

__all__ = ["RULES", "TYPES", "Route", "Rule", "ident_of"]

Rule = Callable[[Findings, AccountBook, Reading], None]

RULES: dict[str, Rule] = {
    "granted": grants.granted,
    "debited": debits.debited,
    "denied": denials.denied,
    "settled": endings.settled,
    "refunded": endings.refunded,
    "expired": grants.expired,
    "adjusted": adjustments.adjusted,
    "closed": accounts.closed,
    "reopened": accounts.reopened,
    "limits_set": accounts.limits_set,
    "skipped": accounts.skipped,
}

TYPES = frozenset(name for action in ACTIONS.values() for name in action.types)
"""Every event of the ledger."""


@dataclass(frozen=True, slots=True)
class Route:
    """The account, parser and rule of all entries of one subject. `kind` and `subject` as headers state them."""

    book: AccountBook
    known: Action
    rule: Rule
    kind: bytes
    subject: bytes


def ident_of(entry: StoredMessage, head: CanonicalHeaders | None, route: Route) -> tuple[bytes, bytes]:
    """The event's id, and the service that wrote it, as its headers say. Raises Unreadable."""
    if head is not None:
        _, ident, source, kind, written, subject = head
        if kind == route.kind and subject == route.subject and _is_time(written):
            return ident, source
    return read_with_care(entry, route.known.types, TYPES)


def _is_time(text: bytes) -> bool:
    try:
        return datetime.fromisoformat(text.decode()).tzinfo is not None
    except ValueError:
        return False
