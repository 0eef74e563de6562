"""From the bytes of an entry to what it says: every field checked for its type before anything is made of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from .account_book import Parts
from .breach import BreachKind
from .entry import Entry
from .heads import Unreadable, header_lines, shown

__all__ = ["ACTIONS", "MAX_CREDITS", "Action", "Reading", "amount_in", "read_body", "time_in", "utc"]

MAX_CREDITS = 2**53 - 1
"""No amount and no balance is larger: every JSON reader keeps it exact."""

_YEARS = range(1970, 9000)
_WORDS = {int: "a whole number from 1 to 2^53-1", str: "a text", dict: "an object"}


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


@dataclass(frozen=True, slots=True)
class Action:
    """What events of one action are called, newest version first, and the fields that only they have."""

    types: tuple[str, ...]
    needed: tuple[tuple[str, type], ...]
    optional: tuple[tuple[str, type], ...] = ()


ACTIONS = {
    "granted": Action(
        ("credits.granted.v1",),
        (("amount", int), ("kind", str), ("reference", str), ("reason", str)),
        (("expires_at", str),),
    ),
    "debited": Action(
        ("credits.debited.v1",),
        (("generation", str), ("amount", int), ("price", dict)),
        (("api_key", str),),
    ),
    "denied": Action(
        ("credits.denied.v2", "credits.denied.v1"),
        (("generation", str), ("reason", str)),
        (("limit", dict),),
    ),
    "settled": Action(("credits.settled.v1",), (("generation", str), ("amount", int))),
    "refunded": Action(
        ("credits.refunded.v1",),
        (("generation", str), ("amount", int), ("reason", str)),
        (("usable_until", str),),
    ),
    "expired": Action(("credits.expired.v1",), (("grant", int), ("amount", int))),
    "adjusted": Action(
        ("credits.adjusted.v1",),
        (("corrects", int), ("amount", int), ("reference", str), ("reason", str)),
        (("usable_until", str),),
    ),
    "closed": Action(("account.closed.v1",), (("reason", str),)),
    "reopened": Action(("account.reopened.v1",), (("reason", str),)),
    "limits_set": Action(("account.limits_set.v1",), (), (("api_key", str),)),
}
"""Every action that the ledger knows."""


def read_body(entry: Entry, account: str, action: str, known: Action) -> Reading:
    """What the entry says, each field of the type that it must have. Raises Unreadable."""
    try:
        body = from_json(entry.body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if type(body) is not dict:
        raise Unreadable("the body is not a JSON object")
    if body.get("account") != account:
        stated = body.get("account")
        says = f"the body is about account {shown(stated)}, the subject about {account}"
        raise Unreadable(says, BreachKind.WRONG_SUBJECT, stated if type(stated) is str else None)
    number, balances = body.get("entry"), body.get("balances")
    if type(number) is not int or not 0 < number <= MAX_CREDITS:
        raise Unreadable(f"entry is {shown(number)}, not {_WORDS[int]}")
    if type(balances) is not dict or type(body.get("postings")) is not list:
        raise Unreadable("balances must be an object and postings a list")
    if type(balances.get("available")) is not int or type(balances.get("held")) is not int:
        raise Unreadable("balances must say what is available and held, in whole credits")
    for name, kind in known.needed:
        value = body.get(name)
        if type(value) is not kind or (kind is int and not 0 < value <= MAX_CREDITS):
            raise Unreadable(f"{name} is {shown(value)}, not {_WORDS[kind]}")
    for name, kind in known.optional:
        value = body.get(name)
        if value is not None and type(value) is not kind:
            raise Unreadable(f"{name} is {shown(value)}, not {_WORDS[kind]}")
    decided = body.get("decided_at")
    at = utc(decided, "decided_at") if decided is not None else _written_at(entry)
    return Reading(entry.sequence, action, known.types[0], account, number, at, body)


def _written_at(entry: Entry) -> datetime:
    return utc(header_lines(entry.head).get("ce-time"), "header ce-time")


def utc(value: object, name: str) -> datetime:
    """The moment that a text says, as UTC. Raises Unreadable."""
    time = time_in(value, name)
    if time.year not in _YEARS:
        raise Unreadable(f"{name} is {shown(value)}, out of all reason")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def time_in(value: object, name: str) -> datetime:
    """The time that a text says, in the zone that it says. Raises Unreadable."""
    if type(value) is str:
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = None
        if time is not None and time.tzinfo is not None:
            return time
    raise Unreadable(f"{name} is {shown(value)}, not a time with its zone")


def amount_in(value: object, name: str, least: int = 0) -> int:
    """A number of credits. Raises Unreadable."""
    if type(value) is not int or not least <= value <= MAX_CREDITS:
        raise Unreadable(f"{name} is {shown(value)}, not a whole number from {least} to 2^53-1")
    return value
