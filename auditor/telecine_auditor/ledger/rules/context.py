"""What the rules write to, and the questions that they share: whose credits move, and by which reference."""

from typing import Protocol

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, GrantBook, Parts
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.events import LedgerEvent
from telecine_auditor.ledger.header_parser import shown
from telecine_auditor.ledger.postings import UNNAMED, fault_of, total

__all__ = ["Findings", "acquainted", "generation_of", "refer", "unnamed", "whose"]


class Findings(Protocol):
    """The books, as a rule sees them."""

    unattributed: int
    named: bool

    def found(self, kind: BreachKind, says: str, generation: str | None = None) -> None:
        """The entry that is being taken is a breach."""


def whose(
    books: Findings, book: AccountBook, reading: Reading, legs: Parts | None, otherwise: Parts
) -> Parts:
    """Whose credits the entry moves, as its postings say; `otherwise` where they do not say it."""
    if legs is None:
        _misposted(books, reading)
        return otherwise
    event = reading.event
    if total(legs) != event.amount:
        says = f"moves {total(legs)} credits, its amount is {event.amount}"
        books.found(BreachKind.WRONG_POSTINGS, says, generation_of(event))
    if unnamed(books, book, reading, legs):
        return otherwise
    return otherwise if sorted(legs) == sorted(otherwise) else legs


def _misposted(books: Findings, reading: Reading) -> None:
    event = reading.event
    if fault := fault_of(event.postings):
        books.found(BreachKind.SUM_NOT_ZERO, fault, generation_of(event))
        return
    legs = event.postings[:6]
    moves = ", ".join(f"{leg.amount:+} {shown(leg.account)}" for leg in legs) or "nothing"
    says = f"moves {moves}: that is not what an entry of this kind moves"
    books.found(BreachKind.WRONG_POSTINGS, says, generation_of(event))


def generation_of(event: LedgerEvent) -> str | None:
    """The generation that the event is about, if it is about one."""
    return getattr(event, "generation", None)


def unnamed(books: Findings, book: AccountBook, reading: Reading, legs: Parts) -> bool:
    """Whether the entry leaves it open whose credits it moves, as those from before 0.2 did."""
    if legs[0][0] != UNNAMED:
        book.named = True
        return False
    books.unattributed += 1
    if book.named or books.named:
        says = f"moves {total(legs)} credits and does not say of which grant, after entries that did"
        books.found(BreachKind.GRANT_NOT_NAMED, says, generation_of(reading.event))
    return True


def acquainted(book: AccountBook, reading: Reading, parts: Parts) -> list[int]:
    """Make room for grants that were never seen; their numbers. What depends on them is no longer judged."""
    strangers = [number for number, _ in parts if number not in book.grants]
    for number in strangers:
        book.doubtful = True
        book.grants[number] = GrantBook(
            number=number,
            amount=0,
            kind="",
            reference="",
            granted_at=reading.decided_at,
            expires_at=None,
            sequence=reading.sequence,
            known=False,
        )
    return strangers


def refer(books: Findings, book: AccountBook, reading: Reading) -> None:
    """References are unique within the account, over grants and adjustments together."""
    reference = reading.event.reference
    before = book.references.setdefault(reference, reading.number)
    if before != reading.number:
        says = f"reference {shown(reference)} was used by entry {before}"
        books.found(BreachKind.REFERENCE_USED_TWICE, says)
