"""The short way through entries that are as they should be: foretell what must stand there, and compare the bytes.

Debits, settlements and refunds that concern one grant are nearly all of a ledger. What came before tells all that they
must say, but for time, generation and price: those are looked up, and the whole is written down as credits writes it.
An entry with these very bytes says these very things. One without them may be right as well, or wrong in any way: the
rules will tell, and nothing was done to the books.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from telecine_auditor.ledger.account import AccountBook, HoldBook
from telecine_auditor.ledger.event_parser import MAX_CREDITS
from telecine_auditor.ledger.header_parser import Unreadable
from telecine_auditor.ledger.spend_limits import count, counted_day, make_room
from telecine_auditor.ledger.strict_json import read_json

from .debits import read_price

__all__ = ["SHORTCUTS", "Shortcut", "form_of", "is_usual_time"]

Shortcut = Callable[[AccountBook, bytes, int, tuple[bytes, bytes]], datetime | None]
"""Given the account, the form of its entries of this kind, an entry's sequence, its body and the time in its header:

applies the entry and answers when it was decided; None when nothing was done.
"""

_QUOTES = 10
"""Quotation marks from the one before decided_at on, up to the amount."""
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_SECOND = b"0000-00-00T00:00:00"
_TO_THE_SECOND = slice(len(_SECOND))
_FORMS = (_SECOND, *(_SECOND + b"." + b"0" * digits for digits in range(1, 7)))
_HEADER_TIMES = frozenset((_SECOND + b"+00:00", _FORMS[-1] + b"+00:00"))
_CLOCKS = frozenset(decided + b"Z " + written for decided in _FORMS for written in _HEADER_TIMES)
"""When an entry was decided and when it was written, as credits writes them, every digit made a 0."""
_LATE = b"9"
"""So are the years from here on."""
_HEX = bytes.maketrans(b"123456789abcdef", b"0" * 15)
_UUID = b"00000000-0000-0000-0000-000000000000"
_PRICE_FIELDS = ["credits", "table", "resolution", "duration"]
"""As credits writes them."""
_LONGEST_PRICE = 300
"""Bytes of a price and an API key; what is longer is not kept at hand, nor read here."""
_SIDES = {
    "debited": (":available", ":held"),
    "settled": (":held", "spent"),
    "refunded": (":held", ":available"),
}
_ENDS = {"debited": ',"price":%b', "settled": "}", "refunded": ',"reason":"%b"}'}


def form_of(account: str, action: str) -> bytes:
    """The entries of that kind, with places for what differs from one to the other."""
    source, target = (account + side if side[0] == ":" else side for side in _SIDES[action])
    return (
        f'{{"account":"{account}","entry":%d,"postings":[{{"account":"{source}","amount":-%d,"grant":%d}},'
        f'{{"account":"{target}","amount":%d,"grant":%d}}],"balances":{{"available":%d,"held":%d}},'
        f'"decided_at":"%b","generation":"%b","amount":%d{_ENDS[action]}'
    ).encode()


def debited(book: AccountBook, form: bytes, sequence: int, written: tuple[bytes, bytes]) -> datetime | None:
    """A debit that the first grant in the order of taking pays alone, of an account without limits."""
    body, written_at = written
    told, _, price_and_key = body.rpartition(b',"price":')
    pieces = told.rsplit(b'"', _QUOTES)
    if len(pieces) <= _QUOTES or not book.live or book.closed or book.limits:
        return None
    if len(price_and_key) > _LONGEST_PRICE:
        return None
    amount, unknown, key = _charged(price_and_key)
    payer, clock, named = book.live[0], pieces[3], pieces[7]
    at, generation = _time(clock, written_at), _name(named)
    if not amount or at is None or generation is None or not payer.usable(at) or amount > payer.available:
        return None
    if generation in book.holds or generation in book.ended:
        return None
    entry, grant, available, held = book.entry + 1, payer.number, book.available - amount, book.held + amount
    said = (entry, amount, grant, amount, grant, available, held, clock, named, amount, price_and_key)
    if body != form % said:
        return None
    book.entry, book.available, book.held, book.named = entry, available, held, True
    payer.held += amount
    payer.available -= amount
    if not payer.available:
        del book.live[0]
    day = counted_day(book, at)
    count(book, amount, key, day)
    parts = payer.shares.get(amount) or payer.share(amount)
    book.holds[generation] = HoldBook(generation, amount, parts, at, sequence, key, day)
    book.debits += 1
    if unknown is not None:
        book.charge_unknown(unknown, sequence)
    return at


def settled(book: AccountBook, form: bytes, sequence: int, written: tuple[bytes, bytes]) -> datetime | None:
    """The settlement of a debit that one grant paid."""
    body, written_at = written
    pieces = body.rsplit(b'"', _QUOTES)
    if len(pieces) <= _QUOTES:
        return None
    clock, named = pieces[3], pieces[7]
    at, generation = _time(clock, written_at), _name(named)
    hold = book.holds.get(generation) if generation is not None else None
    if at is None or hold is None or len(hold.parts) != 1:
        return None
    ((grant, amount),) = hold.parts
    entry, held = book.entry + 1, book.held - amount
    said = (entry, amount, grant, amount, grant, book.available, held, clock, named, amount)
    if body != form % said or amount != hold.amount:
        return None
    book.entry, book.held, book.named = entry, held, True
    book.spent += amount
    payer = book.grants[grant]
    payer.held -= amount
    payer.spent += amount
    del book.holds[hold.generation]
    book.end(hold, "settled", number=entry, sequence=sequence)
    return at


def refunded(book: AccountBook, form: bytes, sequence: int, written: tuple[bytes, bytes]) -> datetime | None:
    """The refund of a debit that one grant paid, one that never expires."""
    body, written_at = written
    told, _, reason = body.rpartition(b',"reason":"')
    pieces = told.rsplit(b'"', _QUOTES)
    if len(pieces) <= _QUOTES:
        return None
    clock, named, reason = pieces[3], pieces[7], reason[:-2]
    at, generation = _time(clock, written_at), _name(named)
    hold = book.holds.get(generation) if generation is not None else None
    if at is None or hold is None or len(hold.parts) != 1 or _name(reason) is None:
        return None
    ((grant, amount),) = hold.parts
    entry, available, held = book.entry + 1, book.available + amount, book.held - amount
    said = (entry, amount, grant, amount, grant, available, held, clock, named, amount, reason)
    if body != form % said or amount != hold.amount or book.grants[grant].usable_until is not None:
        return None
    book.entry, book.named = entry, True
    book.release(hold.parts)
    make_room(book, amount, hold.api_key, hold.day)
    del book.holds[hold.generation]
    book.end(hold, "refunded", number=entry, sequence=sequence)
    return at


def _time(clock: bytes, written_at: bytes) -> datetime | None:
    """When it was decided; other forms of it, and of the time in the header, are for those who read with care."""
    if b" ".join((clock, written_at)).translate(_DIGITS) not in _CLOCKS or clock >= _LATE:
        return None
    try:
        if written_at[_TO_THE_SECOND] != clock[_TO_THE_SECOND]:
            datetime.fromisoformat(written_at.decode())
        return datetime.fromisoformat(clock.decode())
    except ValueError:
        return None


def is_usual_time(written_at: bytes) -> bool:
    """Whether the time in a header is one as credits writes them, and there is such a time."""
    if written_at.translate(_DIGITS) not in _HEADER_TIMES:
        return False
    try:
        datetime.fromisoformat(written_at.decode())
    except ValueError:
        return False
    return True


def _name(text: bytes) -> str | None:
    """The text, if it has letters, digits, - and _ alone: it needs no reading then."""
    if text.translate(_HEX) != _UUID:
        plain = text.replace(b"-", b"")
        if len(text) > 64 or not (plain.isalnum() or plain.replace(b"_", b"").isalnum()):
            return None
    return text.decode()


@lru_cache(maxsize=65_536)
def _charged(price_and_key: bytes) -> tuple[int, tuple[str, str, int, int] | None, str | None]:
    """What is charged by the end of a debit, a price and perhaps an API key; 0 where that must be read with care.

    And the whole price if its table is not known, and the key's id.
    """
    frozen, comma, rest = price_and_key.partition(b',"api_key":"')
    key = _name(rest[:-2]) if rest[-2:] == b'"}' else None
    if not comma:
        frozen = price_and_key.removesuffix(b"}")
    elif key is None:
        return 0, None, None
    try:
        price = read_json(frozen)
        by_table = read_price(price) if type(price) is dict else 0
    except (ValueError, Unreadable):
        return 0, None, None
    if list(price) != _PRICE_FIELDS:
        return 0, None, None
    if by_table == 0 or by_table not in (None, price["credits"]) or not 0 < price["credits"] <= MAX_CREDITS:
        return 0, None, None
    whole = price["table"], price["resolution"], price["duration"], price["credits"]
    return price["credits"], whole if by_table is None else None, key


SHORTCUTS: dict[str, Shortcut] = {"debited": debited, "settled": settled, "refunded": refunded}
"""By the last token of the subject."""
