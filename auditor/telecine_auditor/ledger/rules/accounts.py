"""What must hold for entries that move nothing: closing, reopening, limits."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, Limits
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.postings import fault_of

from .context import Findings, generation_of

__all__ = ["closed", "limits_set", "moves_nothing", "reopened", "skipped"]


def closed(books: Findings, book: AccountBook, reading: Reading) -> None:
    """Nothing is charged or granted from now on."""
    moves_nothing(books, reading)
    if book.closed and not book.doubtful:
        books.found(BreachKind.WRONG_CLOSING, "closes an account that is closed")
    book.closed = True


def reopened(books: Findings, book: AccountBook, reading: Reading) -> None:
    """As before it was closed."""
    moves_nothing(books, reading)
    if not book.closed and not book.doubtful:
        books.found(BreachKind.WRONG_CLOSING, "reopens an account that is open")
    book.closed = False


def limits_set(books: Findings, book: AccountBook, reading: Reading) -> None:
    """Bounds on debits from now on, in place of those for the same."""
    event = reading.event
    moves_nothing(books, reading)
    book.limits[event.api_key] = Limits(event.per_day, event.per_generation)


def skipped(books: Findings, book: AccountBook, reading: Reading) -> None:
    """A message that is not an entry means nothing; the books have passed over it already (`Books.skipped`)."""
    moves_nothing(books, reading)


def moves_nothing(books: Findings, reading: Reading) -> None:
    """Check that the entry has no postings."""
    legs = reading.event.postings
    if not legs:
        return
    generation = generation_of(reading.event)
    if fault := fault_of(legs):
        books.found(BreachKind.SUM_NOT_ZERO, fault, generation)
    else:
        says = f"has {len(legs)} postings; an entry of this kind moves nothing"
        books.found(BreachKind.WRONG_POSTINGS, says, generation)
