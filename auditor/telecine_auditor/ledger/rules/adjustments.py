"""What must hold for corrections of earlier entries."""

from dataclasses import dataclass
from datetime import datetime

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, ExpiryBook, GrantBook, HoldBook, Parts
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.postings import moved, total

from .burn_order import backwards, listed, returned_until
from .context import Findings, acquainted, refer, whose

__all__ = ["adjusted"]


@dataclass(frozen=True, slots=True)
class _Correction:
    """What an adjustment may do: how much is left to correct, of which grants, and from where it comes back.

    `of` is what it corrects: the grant, the settled generation, the expiry; None: nothing that can be corrected.
    """

    of: GrantBook | HoldBook | ExpiryBook | None
    left: int
    parts: Parts


def adjusted(books: Findings, book: AccountBook, reading: Reading) -> None:
    """Part or all of what an entry moved goes back the way it came."""
    event = reading.event
    claimed = event.usable_until
    allowed = _correction(book, event.corrects, event.amount)
    source, target = _way(book, allowed.of, reading)
    legs = moved(event.postings, source, target)
    parts = whose(books, book, reading, legs, allowed.parts)
    if not book.doubtful:
        _judge(books, reading, allowed, parts)
    acquainted(book, reading, parts)
    refer(books, book, reading)
    until = None if target == "issued" else returned_until(book, parts, reading.decided_at)
    if claimed != until and not book.doubtful:
        says = f"makes its credits usable until {_when(claimed)}; by the rule until {_when(until)}"
        books.found(BreachKind.WRONG_ADJUSTMENT, says)
    if claimed is not None:
        book.prolong(parts, claimed)
    _apply(book, source, parts)
    if isinstance(allowed.of, HoldBook | ExpiryBook):
        allowed.of.returned += total(parts)
    reading.parts = parts


def _correction(book: AccountBook, corrects: int, amount: int) -> _Correction:
    grant = book.grants.get(corrects)
    if grant is not None and grant.known:
        left = min(grant.available, grant.amount - grant.taken_back)
        return _Correction(grant, left, ((corrects, amount),))
    hold = book.settlement(corrects)
    if hold is not None:
        left = total(hold.parts) - hold.returned
        return _Correction(hold, left, backwards(hold.parts, hold.returned, amount))
    expiry = book.expiries.get(corrects)
    if expiry is not None:
        return _Correction(expiry, expiry.amount - expiry.returned, ((expiry.grant, amount),))
    return _Correction(None, 0, ())


def _way(book: AccountBook, of: object, reading: Reading) -> tuple[str, str]:
    """From where to where the credits must go; for what can't be corrected, where the postings say."""
    ways = {
        GrantBook: (book.available_side, "issued"),
        HoldBook: ("spent", book.available_side),
        ExpiryBook: ("expired", book.available_side),
    }
    if of is not None:
        return ways[type(of)]
    said = (way for way in ways.values() if moved(reading.event.postings, *way) is not None)
    return next(said, ways[GrantBook])


def _judge(books: Findings, reading: Reading, allowed: _Correction, parts: Parts) -> None:
    corrects, amount = reading.event.corrects, reading.event.amount
    if allowed.of is None:
        says = f"corrects entry {corrects}, which is no grant, settlement or expiry of the account"
    elif amount > allowed.left:
        says = f"corrects entry {corrects} by {amount}, at most {allowed.left} may go back"
    elif sorted(parts) != sorted(allowed.parts):
        says = f"moves {listed(parts)}; by the rule {listed(allowed.parts)}"
    else:
        return
    books.found(BreachKind.WRONG_ADJUSTMENT, says)


def _apply(book: AccountBook, source: str, parts: Parts) -> None:
    for number, amount in parts:
        grant = book.grants[number]
        if source == book.available_side:
            book.take(grant, amount)
            grant.taken_back += amount
            book.issued -= amount
            continue
        if source == "spent":
            grant.spent -= amount
            book.spent -= amount
        else:
            grant.expired -= amount
            book.expired -= amount
        book.put(grant, amount)


def _when(time: datetime | None) -> str:
    return time.isoformat() if time else "their own time"
