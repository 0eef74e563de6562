"""What all entries of one subject have in common, and what the header of one must say."""

from dataclasses import dataclass

from telecine_auditor.ledger.account import AccountBook
from telecine_auditor.ledger.event_parser import ACTIONS, Action
from telecine_auditor.ledger.header_parser import read_with_care
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers

from .fast_path import Shortcut, is_usual_time
from .registry import Rule

__all__ = ["TYPES", "Route", "ident_of"]

TYPES = frozenset(name for action in ACTIONS.values() for name in action.types)
"""Every event of the ledger."""


@dataclass(frozen=True, slots=True)
class Route:
    """The account of a subject, and how its entries are taken."""

    book: AccountBook
    action: str
    known: Action
    rule: Rule
    shortcut: Shortcut | None
    form: bytes
    kind: bytes
    subject: bytes


def ident_of(entry: StoredMessage, route: Route) -> tuple[bytes, bytes]:
    """The event's id, and who says that he wrote it. Raises Unreadable."""
    head = parse_canonical_headers(entry.head)
    if head is not None:
        _, ident, source, kind, written, subject = head
        if kind == route.kind and subject == route.subject and is_usual_time(written):
            return ident, source
    return read_with_care(entry, route.known.types, TYPES)
