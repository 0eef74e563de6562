"""From the bytes of an entry to what it says: every field checked for its type before anything is made of it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from telecine_auditor.breaches import BreachKind
from telecine_auditor.sources.message import StoredMessage

from .account import Parts
from .header_parser import Unreadable, header_lines, shown
from .strict_json import read_json

__all__ = [
    "ACTIONS",
    "MAX_CREDITS",
    "Action",
    "Reading",
    "amount_in",
    "read_body",
    "time_in",
    "time_of_storing",
    "utc",
]

MAX_CREDITS = 2**53 - 1
"""No amount and no balance is larger: every JSON reader keeps it exact."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1970, 9000)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
"""The times that every reader of events reads alike: ISO 8601 has many more forms."""
_WORDS = {int: "a whole number", str: "a text", dict: "an object", list: "a list"}


@dataclass(slots=True, eq=False)
class Reading:
    """An entry that could be read.

    `action` is the last token of its subject (debited, settled …), `number` its number within the account, `decided_at`
    when it was decided (entries before 0.2: when they were written), `body` the event as it stands. `parts` tells
    whose credits it moved, also where the entry itself does not name the grants.
    """

    sequence: int
    action: str
    type: str
    account: str
    number: int
    decided_at: datetime
    body: dict[str, Any]
    parts: Parts = ()


class Action:
    """What events of one action are called, newest version first, and the fields that they have beside the common ones.

    Fields are given with their types; a whole number among the needed ones is at least 1.
    """

    __slots__ = ("has_amount", "needed", "types", "value_types", "values")

    def __init__(self, types: tuple[str, ...], **needed: type) -> None:
        self.types = types
        self.needed = tuple({**_COMMON, **needed}.items())
        self.has_amount = "amount" in needed
        self.values = itemgetter("decided_at", *_COMMON, *needed)
        self.value_types = [str, *_COMMON.values(), *needed.values()]


_COMMON: dict[str, type] = {"account": str, "entry": int, "postings": list, "balances": dict}

ACTIONS = {
    "granted": Action(("credits.granted.v1",), amount=int, kind=str, reference=str, reason=str),
    "debited": Action(("credits.debited.v1",), amount=int, generation=str, price=dict),
    "denied": Action(("credits.denied.v2", "credits.denied.v1"), generation=str, reason=str),
    "settled": Action(("credits.settled.v1",), amount=int, generation=str),
    "refunded": Action(("credits.refunded.v1",), amount=int, generation=str, reason=str),
    "expired": Action(("credits.expired.v1",), amount=int, grant=int),
    "adjusted": Action(("credits.adjusted.v1",), amount=int, corrects=int, reference=str, reason=str),
    "closed": Action(("account.closed.v1",), reason=str),
    "reopened": Action(("account.reopened.v1",), reason=str),
    "limits_set": Action(("account.limits_set.v1",)),
    "skipped": Action(("account.message_skipped.v1",), skips=int, sha256=str, reason=str),
}
"""Every action that the ledger knows."""


def read_body(entry: StoredMessage, account: str, action: str, known: Action) -> Reading:
    """What the entry says, each field that it must have of its type; what may be absent is for its rule to read.

    Raises Unreadable.
    """
    body = read_json(entry.body)
    if b"null" in entry.body and (name := _null_in(body)) is not None:
        raise Unreadable(f"{name} is null: a field without a value is left out")
    try:
        values = known.values(body)
        decided, stated, number, _, balances = values[:5]
        at = datetime.fromisoformat(decided)
        usual = at.tzinfo is UTC and stated == account and decided < _SOON_NO_TIME
        usual = usual and _TIME.fullmatch(decided) is not None
        if not usual or [*map(type, values)] != known.value_types:
            at = _read_with_care(entry, body, account, known)
        if type(balances["available"]) is not int or type(balances["held"]) is not int:
            at = _read_with_care(entry, body, account, known)
    except (KeyError, TypeError, ValueError):
        at = _read_with_care(entry, body, account, known)
        number = body["entry"]
    amount = body["amount"] if known.has_amount else 1
    if not 0 < number <= MAX_CREDITS or not 0 < amount <= MAX_CREDITS:
        raise Unreadable(f"entry is {shown(number)}, amount {shown(amount)}: not from 1 to 2^53-1")
    return Reading(entry.sequence, action, known.types[0], account, number, at, body)


def _null_in(value: object, name: str = "the body") -> str | None:
    """The name of the first field that is null, which no schema of the ledger allows: a null limit bounds nothing."""
    if value is None:
        return name
    if type(value) is dict:
        inner = ((field, part) for field, part in value.items())
    elif type(value) is list:
        inner = ((f"a part of {name}", part) for part in value)
    else:
        return None
    return next((found for field, part in inner if (found := _null_in(part, field)) is not None), None)


_SOON_NO_TIME = "9"
"""Years from here on, as text, are left to those who read with care: a day later there may be no calendar."""


def _read_with_care(entry: StoredMessage, body: object, account: str, known: Action) -> datetime:
    """When it was decided, of an entry that says everything it must but looks unusual. Raises Unreadable."""
    if type(body) is not dict:
        raise Unreadable("the body is not a JSON object")
    stated = body.get("account")
    if stated != account:
        says = f"the body is about account {shown(stated)}, the subject about {account}"
        raise Unreadable(says, BreachKind.WRONG_SUBJECT, stated if type(stated) is str else None)
    for name, kind in known.needed:
        if type(value := body.get(name)) is not kind:
            raise Unreadable(f"{name} is {shown(value)}, not {_WORDS[kind]}")
    balances = body["balances"]
    if type(balances.get("available")) is not int or type(balances.get("held")) is not int:
        raise Unreadable("balances must say what is available and held, in whole credits")
    decided = body.get("decided_at")
    return utc(decided, "decided_at") if decided is not None else _written_at(entry)


def _written_at(entry: StoredMessage) -> datetime:
    return utc(header_lines(entry.head).get("ce-time"), "header ce-time")


def utc(value: object, name: str) -> datetime:
    """The moment that a text says, as UTC. Raises Unreadable."""
    time = time_in(value, name)
    if time.year not in _YEARS:
        raise Unreadable(f"{name} is {shown(value)}, out of all reason")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def time_in(value: object, name: str, *, zone_needed: bool = True) -> datetime:
    """The time that a text says; without a zone, where none is needed, it is meant in UTC. Raises Unreadable."""
    if type(value) is str and _TIME.fullmatch(value):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = None
        if time is not None and time.tzinfo is not None:
            return time
        if time is not None and not zone_needed:
            return time.replace(tzinfo=UTC)
    raise Unreadable(f"{name} is {shown(value)}, not a time with its zone")


def time_of_storing(nanoseconds: int) -> datetime:
    """The server's time of storing an entry; 1970 where no calendar has it."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _EPOCH


def amount_in(value: object, name: str, least: int = 0) -> int:
    """A number of credits. Raises Unreadable."""
    if type(value) is not int or not least <= value <= MAX_CREDITS:
        raise Unreadable(f"{name} is {shown(value)}, not a whole number from {least} to 2^53-1")
    return value
