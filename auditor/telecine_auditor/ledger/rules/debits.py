"""What must hold for debits."""

from functools import lru_cache

from telecine_auditor.breaches import BreachKind
from telecine_auditor.ledger.account import AccountBook, HoldBook, Parts
from telecine_auditor.ledger.event_parser import Reading
from telecine_auditor.ledger.events import Price
from telecine_auditor.ledger.header_parser import shown
from telecine_auditor.ledger.postings import UNNAMED, moved, total
from telecine_contracts.pricing import PRICE_TABLE

from .burn_order import listed, taking
from .context import Findings, acquainted, whose
from .spend_limits import count, counted_day, limits_passed

__all__ = ["debited", "read_price"]


def debited(books: Findings, book: AccountBook, reading: Reading) -> None:
    """available → held: by the order of taking, at the frozen price, within the limits, once."""
    event = reading.event
    generation, amount, key = event.generation, event.amount, event.api_key
    price = read_price(event.price)
    legs = moved(event.postings, book.available_side, book.held_side)
    book.debits += 1
    day = counted_day(book, reading.decided_at)
    parts = taking(book, amount, reading.decided_at)
    if legs == parts and legs and (legs[0][1] == amount or total(legs) == amount):
        book.named = True
    else:
        parts = _other_payers(books, book, reading, legs)
        if legs and legs[0][0] == UNNAMED:
            day = 0
    if generation in book.holds or generation in book.ended:
        _debited_again(books, book, generation)
    if book.closed:
        books.found(BreachKind.CHARGED_WHILE_CLOSED, f"charges {amount} to a closed account", generation)
    if price != amount or event.price.credits != amount:
        _priced_otherwise(books, book, reading, price)
    if day:
        if book.limits and not book.doubtful:
            for limit in limits_passed(book, amount, key, day):
                books.found(BreachKind.LIMIT_PASSED, f"charges {amount}: {limit}", generation)
        count(book, amount, key, day)
    book.hold(parts)
    reading.parts = parts
    hold = HoldBook(generation, amount, parts, reading.decided_at, reading.sequence, key, day)
    book.holds.setdefault(generation, hold)


def read_price(price: Price) -> int | None:
    """Credits that the clip costs by the price table; 0: it is not in the table; None: the table is not known."""
    return _quoted(price.resolution, price.duration) if price.table == PRICE_TABLE.version else None


@lru_cache(maxsize=1024)
def _quoted(resolution: str, duration: int) -> int:
    if resolution not in PRICE_TABLE.resolutions:
        return 0
    return PRICE_TABLE.quote(resolution, duration).credits


def _priced_otherwise(books: Findings, book: AccountBook, reading: Reading, price: int | None) -> None:
    amount, frozen = reading.event.amount, reading.event.price
    if frozen.credits != amount:
        says = f"charges {amount}, the frozen price is {shown(frozen.credits)}"
    elif price is not None:
        clip = f"{shown(frozen.resolution)} for {shown(frozen.duration)} s"
        says = f"charges {amount}, table {PRICE_TABLE.version} says {price or 'nothing'} for {clip}"
    else:
        whole = frozen.table, frozen.resolution, frozen.duration, amount
        book.charge_unknown(whole, reading.sequence)
        return
    books.found(BreachKind.WRONG_PRICE, says, reading.event.generation)


def _debited_again(books: Findings, book: AccountBook, generation: str) -> None:
    before = book.holds.get(generation) or book.ended[generation]
    what = "denied" if before.outcome == "denied" else "debited"
    books.found(BreachKind.DEBITED_TWICE, f"was {what} before at LEDGER#{before.debited}", generation)


def _other_payers(books: Findings, book: AccountBook, reading: Reading, legs: Parts | None) -> Parts:
    """Which grants pay when that is not what the order of taking says at first sight."""
    amount = reading.event.amount
    nameless = bool(legs) and legs is not None and legs[0][0] == UNNAMED
    expected = taking(book, amount, None if nameless else reading.decided_at)
    parts = whose(books, book, reading, legs, expected)
    if parts is not expected and total(parts) == amount:
        _judge_order(books, book, reading, parts)
    elif total(expected) < amount and parts is expected and not book.doubtful:
        _overdrawn(books, book, reading)
    acquainted(book, reading, parts)
    return parts


def _judge_order(books: Findings, book: AccountBook, reading: Reading, parts: Parts) -> None:
    generation, at = reading.event.generation, reading.decided_at
    strange = [number for number, _ in parts if number not in book.grants]
    if strange:
        says = f"takes from grant {strange[0]}, which was never granted"
        books.found(BreachKind.GRANT_UNKNOWN, says, generation)
    if strange or book.doubtful:
        return
    payers = [(book.grants[number], amount) for number, amount in parts]
    over = next((grant for grant, _ in payers if not grant.usable(at)), None)
    short = next(((grant, amount) for grant, amount in payers if amount > grant.available), None)
    if over is not None:
        says = f"takes from grant {over.number}, which was usable until {over.usable_until}"
        books.found(BreachKind.GRANT_EXPIRED, says, generation)
    elif total(parts) > book.available:
        _overdrawn(books, book, reading)
    elif short is not None:
        says = f"takes {short[1]} from grant {short[0].number}, which has {short[0].available} available"
        books.found(BreachKind.GRANT_OVERDRAWN, says, generation)
    else:
        by_rule = listed(taking(book, reading.event.amount, at))
        says = f"takes {listed(parts)}; by the order of taking {by_rule}"
        books.found(BreachKind.GRANT_ORDER, says, generation)


def _overdrawn(books: Findings, book: AccountBook, reading: Reading) -> None:
    says = f"charges {reading.event.amount}, the account has {book.available} available"
    books.found(BreachKind.NEGATIVE_BALANCE, says, reading.event.generation)
