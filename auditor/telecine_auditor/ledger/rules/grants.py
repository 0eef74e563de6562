"""What must hold for grants and their expiry."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, ExpiryBook, GrantBook, Parts
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.events import MAX_CREDITS
from telecine_auditor.ledger.postings import moved, total

from .burn_order import listed
from .context import Findings, acquainted, refer, whose

__all__ = ["expired", "granted"]


def granted(books: Findings, book: AccountBook, reading: Reading) -> None:
    """issued → available: a new grant, with a reference of its own, on an open account."""
    grant = _new_grant(reading)
    legs = moved(reading.event.postings, "issued", book.available_side)
    parts = ((reading.number, grant.amount),)
    _be_of(books, reading, whose(books, book, reading, legs, parts), parts)
    if book.closed:
        books.found(BreachKind.CHARGED_WHILE_CLOSED, f"grants {grant.amount} to a closed account")
    refer(books, book, reading)
    reading.parts = parts
    _enter(book, grant)
    if book.available > MAX_CREDITS:
        books.found(BreachKind.WRONG_BALANCE, f"{book.available} available, more than 2^53-1")


def _be_of(books: Findings, reading: Reading, said: Parts, parts: Parts) -> None:
    if said != parts and total(said) == reading.event.amount:
        books.found(BreachKind.WRONG_POSTINGS, f"moves {listed(said)}, and not {listed(parts)}")


def _new_grant(reading: Reading) -> GrantBook:
    event = reading.event
    return GrantBook(
        number=reading.number,
        amount=event.amount,
        kind=event.kind,
        reference=event.reference,
        granted_at=reading.decided_at,
        expires_at=event.expires_at,
        sequence=reading.sequence,
        usable_until=event.expires_at,
    )


def _enter(book: AccountBook, grant: GrantBook) -> None:
    """A number that is taken already, by a copy or by entries that named it early, stays one grant."""
    before = book.grants.get(grant.number)
    amount = grant.amount
    if before is not None:
        before.amount += amount
        grant = before
    else:
        book.grants[grant.number] = grant
    book.put(grant, amount)
    book.issued += amount


def expired(books: Findings, book: AccountBook, reading: Reading) -> None:
    """available → expired: all that a grant has available, once its time is over."""
    event = reading.event
    number, amount = event.grant, event.amount
    parts: Parts = ((number, amount),)
    legs = moved(event.postings, book.available_side, "expired")
    _be_of(books, reading, whose(books, book, reading, legs, parts), parts)
    if acquainted(book, reading, parts):
        books.found(BreachKind.GRANT_UNKNOWN, f"grant {number} expires, which was never granted")
    grant = book.grants[number]
    if not book.doubtful:
        _judge_expiry(books, grant, reading)
    book.take(grant, amount)
    grant.expired += amount
    book.expired += amount
    book.expiries[reading.number] = ExpiryBook(number, amount)
    reading.parts = parts


def _judge_expiry(books: Findings, grant: GrantBook, reading: Reading) -> None:
    amount, until = reading.event.amount, grant.usable_until
    if grant.usable(reading.decided_at):
        says = f"grant {grant.number} expires at {reading.decided_at}, it is usable until {until or 'ever'}"
        books.found(BreachKind.EXPIRED_EARLY, says)
    elif amount > grant.available:
        says = f"{amount} of grant {grant.number} expire, it has {grant.available} available"
        books.found(BreachKind.GRANT_OVERDRAWN, says)
    elif amount < grant.available:
        says = (
            f"{amount} of grant {grant.number} expire, not all of the {grant.available} that it has available"
        )
        books.found(BreachKind.WRONG_POSTINGS, says)
