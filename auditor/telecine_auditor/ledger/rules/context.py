"""Interface of the replay to the rules, and checks that several rules share."""

from typing import Protocol

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Grant, GrantShares
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.events import LedgerEvent
from telecine_auditor.ledger.header_parser import printable
from telecine_auditor.ledger.postings import UNATTRIBUTED, describe_imbalance, total_amount
from telecine_auditor.ledger.price_tables import PriceTables

__all__ = [
    "RuleContext",
    "check_reference",
    "ensure_grants",
    "generation_of",
    "is_unattributed",
    "resolve_shares",
]


class RuleContext(Protocol):
    """The part of the replay that rules use."""

    unattributed: int
    names_grants: bool
    prices: PriceTables

    def report(self, kind: BreachKind, message: str, generation: str | None = None) -> None:
        """Report a breach of the current entry."""


def resolve_shares(
    context: RuleContext,
    account: Account,
    parsed: ParsedEvent,
    stated: GrantShares | None,
    expected: GrantShares,
) -> GrantShares:
    """The grants whose credits the entry moves: as the postings state, or `expected` if they do not."""
    if stated is None:
        _report_postings(context, parsed)
        return expected
    event = parsed.event
    if total_amount(stated) != event.amount:
        message = f"moves {total_amount(stated)} credits, its amount is {event.amount}"
        context.report(BreachKind.WRONG_POSTINGS, message, generation_of(event))
    if is_unattributed(context, account, parsed, stated):
        return expected
    return expected if sorted(stated) == sorted(expected) else stated


def _report_postings(context: RuleContext, parsed: ParsedEvent) -> None:
    event = parsed.event
    if fault := describe_imbalance(event.postings):
        context.report(BreachKind.SUM_NOT_ZERO, fault, generation_of(event))
        return
    postings = event.postings[:6]
    moves = ", ".join(f"{posting.amount:+} {printable(posting.account)}" for posting in postings) or "nothing"
    message = f"moves {moves}: wrong for an entry of this type"
    context.report(BreachKind.WRONG_POSTINGS, message, generation_of(event))


def generation_of(event: LedgerEvent) -> str | None:
    """The generation that the event is about, if it is about one."""
    return getattr(event, "generation", None)


def is_unattributed(context: RuleContext, account: Account, parsed: ParsedEvent, stated: GrantShares) -> bool:
    """Whether the postings name no grants, as before 0.2."""
    if stated[0][0] != UNATTRIBUTED:
        account.names_grants = True
        return False
    context.unattributed += 1
    if account.names_grants or context.names_grants:
        message = f"moves {total_amount(stated)} credits without naming their grants, after entries that do"
        context.report(BreachKind.GRANT_NOT_NAMED, message, generation_of(parsed.event))
    return True


def ensure_grants(account: Account, parsed: ParsedEvent, parts: GrantShares) -> list[int]:
    """Add grants that the entry names and that were never granted. Returns their numbers."""
    unknown = [number for number, _ in parts if number not in account.grants]
    for number in unknown:
        account.incomplete = True
        account.grants[number] = Grant(
            number=number,
            amount=0,
            kind="",
            reference="",
            granted_at=parsed.decided_at,
            expires_at=None,
            sequence=parsed.sequence,
            known=False,
        )
    return unknown


def check_reference(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """References are unique within the account, across grants and adjustments."""
    reference = parsed.event.reference
    before = account.references.setdefault(reference, parsed.number)
    if before != parsed.number:
        message = f"reference {printable(reference)} was used by entry {before}"
        context.report(BreachKind.REFERENCE_USED_TWICE, message)
