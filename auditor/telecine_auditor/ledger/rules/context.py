"""What the rules write to, and the questions that they share: whose credits move, and by which reference."""

from typing import Protocol

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import Account, Grant, GrantShares
from telecine_auditor.ledger.event_parser import ParsedEvent
from telecine_auditor.ledger.events import LedgerEvent
from telecine_auditor.ledger.header_parser import printable
from telecine_auditor.ledger.postings import UNATTRIBUTED, describe_imbalance, total_amount

__all__ = [
    "RuleContext",
    "check_reference",
    "ensure_grants",
    "generation_of",
    "is_unattributed",
    "resolve_shares",
]


class RuleContext(Protocol):
    """The books, as a rule sees them."""

    unattributed: int
    names_grants: bool

    def report(self, kind: BreachKind, message: str, generation: str | None = None) -> None:
        """The entry that is being taken is a breach."""


def resolve_shares(
    context: RuleContext,
    account: Account,
    parsed: ParsedEvent,
    legs: GrantShares | None,
    otherwise: GrantShares,
) -> GrantShares:
    """Whose credits the entry moves, as its postings say; `otherwise` where they do not say it."""
    if legs is None:
        _misposted(context, parsed)
        return otherwise
    event = parsed.event
    if total_amount(legs) != event.amount:
        message = f"moves {total_amount(legs)} credits, its amount is {event.amount}"
        context.report(BreachKind.WRONG_POSTINGS, message, generation_of(event))
    if is_unattributed(context, account, parsed, legs):
        return otherwise
    return otherwise if sorted(legs) == sorted(otherwise) else legs


def _misposted(context: RuleContext, parsed: ParsedEvent) -> None:
    event = parsed.event
    if fault := describe_imbalance(event.postings):
        context.report(BreachKind.SUM_NOT_ZERO, fault, generation_of(event))
        return
    legs = event.postings[:6]
    moves = ", ".join(f"{leg.amount:+} {printable(leg.account)}" for leg in legs) or "nothing"
    message = f"moves {moves}: that is not what an entry of this kind moves"
    context.report(BreachKind.WRONG_POSTINGS, message, generation_of(event))


def generation_of(event: LedgerEvent) -> str | None:
    """The generation that the event is about, if it is about one."""
    return getattr(event, "generation", None)


def is_unattributed(context: RuleContext, account: Account, parsed: ParsedEvent, legs: GrantShares) -> bool:
    """Whether the entry leaves it open whose credits it moves, as those from before 0.2 did."""
    if legs[0][0] != UNATTRIBUTED:
        account.names_grants = True
        return False
    context.unattributed += 1
    if account.names_grants or context.names_grants:
        message = (
            f"moves {total_amount(legs)} credits and does not say of which grant, after entries that did"
        )
        context.report(BreachKind.GRANT_NOT_NAMED, message, generation_of(parsed.event))
    return True


def ensure_grants(account: Account, parsed: ParsedEvent, parts: GrantShares) -> list[int]:
    """Make room for grants that were never seen; their numbers. What depends on them is no longer judged."""
    strangers = [number for number, _ in parts if number not in account.grants]
    for number in strangers:
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
    return strangers


def check_reference(context: RuleContext, account: Account, parsed: ParsedEvent) -> None:
    """References are unique within the account, over grants and adjustments together."""
    reference = parsed.event.reference
    before = account.references.setdefault(reference, parsed.number)
    if before != parsed.number:
        message = f"reference {printable(reference)} was used by entry {before}"
        context.report(BreachKind.REFERENCE_USED_TWICE, message)
