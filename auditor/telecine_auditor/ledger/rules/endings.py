"""What must hold for the ends of a debit: settled or refunded, all of it, once."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, HoldBook, Parts
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.postings import UNNAMED, moved, total

from .burn_order import listed, returned_until
from .context import Findings, acquainted, whose
from .spend_limits import make_room

__all__ = ["refunded", "settled"]

_OTHERWISE = {"settled": BreachKind.WRONG_SETTLEMENT, "refunded": BreachKind.WRONG_REFUND}


def settled(books: Findings, book: AccountBook, reading: Reading) -> None:
    """held → spent: all of the debit, once."""
    event = reading.event
    legs = moved(event.postings, book.held_side, "spent")
    hold = book.holds.pop(event.generation, None)
    parts = _parts_of(books, book, reading, hold, legs)
    book.spend(parts)
    if hold is not None:
        hold.parts = parts
        book.end(hold, "settled", number=reading.number, sequence=reading.sequence)


def refunded(books: Findings, book: AccountBook, reading: Reading) -> None:
    """held → available: all of the debit, once, each part to the grant that paid."""
    event = reading.event
    claimed = event.usable_until
    legs = moved(event.postings, book.held_side, book.available_side)
    hold = book.holds.pop(event.generation, None)
    parts = _parts_of(books, book, reading, hold, legs)
    nameless = legs is not None and legs[0][0] == UNNAMED
    until = None if nameless else returned_until(book, parts, reading.decided_at)
    if claimed != until and not book.doubtful and hold is not None:
        said, by_rule = (time.isoformat() if time else "their own time" for time in (claimed, until))
        says = f"makes its credits usable until {said}; by the rule until {by_rule}"
        books.found(BreachKind.WRONG_REFUND, says, event.generation)
    if claimed is not None:
        book.prolong(parts, claimed)
    book.release(parts)
    if hold is not None:
        make_room(book, hold.amount, hold.api_key, hold.day)
        book.end(hold, "refunded", number=reading.number, sequence=reading.sequence)


def _parts_of(
    books: Findings, book: AccountBook, reading: Reading, hold: HoldBook | None, legs: Parts | None
) -> Parts:
    """What leaves the hold: what the debit took, unless the postings say otherwise."""
    if hold is not None and legs == hold.parts and reading.event.amount == hold.amount:
        book.named = True
        reading.parts = hold.parts
        return hold.parts
    if hold is None:
        _without_hold(books, book, reading)
        parts = whose(books, book, reading, legs, ())
    else:
        parts = whose(books, book, reading, legs, hold.parts)
        _judge(books, reading, hold, parts)
    acquainted(book, reading, parts)
    reading.parts = parts
    return parts


def _judge(books: Findings, reading: Reading, hold: HoldBook, parts: Parts) -> None:
    amount = reading.event.amount
    if amount != hold.amount:
        says = f"of {amount}, the debit was of {hold.amount}"
    elif parts is not hold.parts and total(parts) == amount:
        says = f"of {listed(parts)}; the debit took {listed(hold.parts)}"
    else:
        return
    books.found(_OTHERWISE[reading.action], f"{reading.action} {says}", hold.generation)


def _without_hold(books: Findings, book: AccountBook, reading: Reading) -> None:
    generation = reading.event.generation
    before = book.ended.get(generation)
    if before is not None and before.outcome != "denied":
        twice = before.outcome == reading.action
        kind = BreachKind.ENDED_TWICE if twice else BreachKind.SETTLED_AND_REFUNDED
        says = f"{reading.action}, and was {before.outcome} before at LEDGER#{before.ended}"
        books.found(kind, says, generation)
    elif not book.doubtful:
        why = "was denied" if before is not None else "was never debited"
        books.found(BreachKind.END_WITHOUT_DEBIT, f"{reading.action}, and {why}", generation)
