"""Which rule checks and applies which entries: by the last token of their subject."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telecine_auditor.ledger.account import Account
from telecine_auditor.ledger.event_parser import EVENT_SCHEMAS, EventSchema, ParsedEvent
from telecine_auditor.ledger.header_parser import parse_identity
from telecine_auditor.sources.message import CanonicalHeaders, StoredMessage

from . import accounts, adjustments, debits, denials, endings, grants
from .context import RuleContext

__all__ = ["EVENT_TYPES", "RULES", "Rule", "SubjectHandler", "event_identity"]

Rule = Callable[[RuleContext, Account, ParsedEvent], None]

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

EVENT_TYPES = frozenset(name for action in EVENT_SCHEMAS.values() for name in action.types)
"""All event types of the ledger."""


@dataclass(frozen=True, slots=True)
class SubjectHandler:
    """The account, parser and rule of all entries of one subject. `kind` and `subject` as headers state them."""

    account: Account
    schema: EventSchema
    rule: Rule
    kind: bytes
    subject: bytes


def event_identity(
    entry: StoredMessage, head: CanonicalHeaders | None, handler: SubjectHandler
) -> tuple[bytes, bytes]:
    """The event's id, and the service that wrote it, as its headers say. Raises UnreadableEntry."""
    if head is not None:
        _, ident, source, kind, written, subject = head
        if kind == handler.kind and subject == handler.subject and _is_time(written):
            return ident, source
    return parse_identity(entry, handler.schema.types, EVENT_TYPES)


def _is_time(text: bytes) -> bool:
    try:
        return datetime.fromisoformat(text.decode()).tzinfo is not None
    except ValueError:
        return False
