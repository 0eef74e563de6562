"""What must hold for entries that move nothing: closing, reopening, limits."""

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, Limits
from telecine_auditor.ledger.event_parser import Reading, amount_in
from telecine_auditor.ledger.header_parser import Unreadable, shown
from telecine_auditor.ledger.postings import fault_of, read_legs

from .context import Findings

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
    bounds = {
        name: None if (value := reading.body.get(name)) is None else amount_in(value, name)
        for name in ("per_day", "per_generation")
    }
    key = reading.body.get("api_key")
    if key is not None and type(key) is not str:
        raise Unreadable(f"api_key is {shown(key)}, not a text")
    moves_nothing(books, reading)
    book.limits[key] = Limits(**bounds)


def skipped(books: Findings, book: AccountBook, reading: Reading) -> None:
    """A message that is not an entry means nothing; the books have passed over it already (`Books.skipped`)."""
    moves_nothing(books, reading)


def moves_nothing(books: Findings, reading: Reading) -> None:
    """No postings. Raises Unreadable before anything else is done."""
    legs = read_legs(reading.body["postings"])
    if not legs:
        return
    generation = reading.body.get("generation")
    if fault := fault_of(legs):
        books.found(BreachKind.SUM_NOT_ZERO, fault, generation)
    else:
        says = f"has {len(legs)} postings; an entry of this kind moves nothing"
        books.found(BreachKind.WRONG_POSTINGS, says, generation)
