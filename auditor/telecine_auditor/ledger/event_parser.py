"""Parses the body of an entry into a typed event.

An entry as credits writes it is decoded by msgspec, encoded again, and the bytes are compared. Equal bytes mean that
nothing unusual is in the body: no field twice, missing, unknown or in another place, no white space, no NaN, no other
form of a number or a time, no broken UTF-8. Any other body goes through the strict parser, which accepts what every
reader reads alike and says precisely what is wrong with the rest.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from telecine_auditor.breaches import BreachKind
from telecine_auditor.sources.message import StoredMessage

from . import events
from .account import GrantShares
from .event_details import parse_details
from .events import MAX_CREDITS, LedgerEvent
from .header_parser import UnreadableEntry, parse_headers, printable
from .strict_json import parse_strict_json, parse_time, parse_utc

__all__ = ["EVENT_SCHEMAS", "EventSchema", "ParsedEvent", "parse_event", "stored_time"]

_encode = msgspec.json.Encoder().encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
"""Times from here on go to the strict parser: adding a day to one may leave the calendar."""
_TYPE_NAMES = {int: "a whole number", str: "a text", dict: "an object", list: "a list"}


class ParsedEvent(Struct, gc=False):
    """A parsed entry.

    `decided_at` when it was decided (before 0.2, when
    entries did not state it (`dated`): when they were written). `event` is None for an entry whose number could be
    read but whose details could not; `problem` says why. `parts` are the grants whose credits it moved, also where the
    entry itself does not name them; its rule sets them. `canonical`: the body is written as credits writes it.
    """

    sequence: int
    schema: "EventSchema"
    account: str
    number: int
    decided_at: datetime
    event: Any
    raw: bytes
    canonical: bool = True
    dated: bool = True
    parts: GrantShares = ()
    problem: UnreadableEntry | None = None
    fields: dict[str, Any] | None = None

    @property
    def action(self) -> str:
        """What happened: debited, settled …"""
        return self.schema.action

    @property
    def type(self) -> str:
        """The newest version of the event's type."""
        return self.schema.types[0]

    @property
    def body(self) -> dict[str, Any]:
        """The event as a JSON object, for reports."""
        if self.fields is None:
            self.fields = json.loads(self.raw)
        return self.fields


class EventSchema:
    """The types of one action, newest version first, and how their bodies are parsed.

    `needed` are the fields that every event of the action must have, in addition to the common ones, with their types.
    """

    __slots__ = ("action", "decode", "event", "has_amount", "needed", "types")

    def __init__(self, event: type[LedgerEvent], *types: str, **needed: type) -> None:
        # The last token of the subject, which is the middle one of the type.
        self.action = types[0].split(".")[1].removeprefix("message_")
        self.event = event
        self.types = types
        self.needed = tuple({**_COMMON, **needed}.items())
        self.has_amount = "amount" in needed
        self.decode: Callable[[bytes], LedgerEvent] = msgspec.json.Decoder(event).decode


_COMMON: dict[str, type] = {"account": str, "entry": int, "postings": list, "balances": dict}

EVENT_SCHEMAS = {
    "granted": EventSchema(
        events.CreditsGranted, "credits.granted.v1", amount=int, kind=str, reference=str, reason=str
    ),
    "debited": EventSchema(
        events.CreditsDebited, "credits.debited.v1", amount=int, generation=str, price=dict
    ),
    "denied": EventSchema(
        events.CreditsDenied, "credits.denied.v2", "credits.denied.v1", generation=str, reason=str
    ),
    "settled": EventSchema(events.CreditsSettled, "credits.settled.v1", amount=int, generation=str),
    "refunded": EventSchema(
        events.CreditsRefunded, "credits.refunded.v1", amount=int, generation=str, reason=str
    ),
    "expired": EventSchema(events.CreditsExpired, "credits.expired.v1", amount=int, grant=int),
    "adjusted": EventSchema(
        events.CreditsAdjusted, "credits.adjusted.v1", amount=int, corrects=int, reference=str, reason=str
    ),
    "closed": EventSchema(events.AccountClosed, "account.closed.v1", reason=str),
    "reopened": EventSchema(events.AccountReopened, "account.reopened.v1", reason=str),
    "limits_set": EventSchema(events.SpendLimitsSet, "account.limits_set.v1"),
    "skipped": EventSchema(
        events.MessageSkipped, "account.message_skipped.v1", skips=int, sha256=str, reason=str
    ),
}
"""Schemas by action, which is the last token of a subject."""


def parse_event(entry: StoredMessage, account: str, known: EventSchema) -> ParsedEvent:
    """The entry as a typed event. Raises Unreadable where not even its number in the account can be read."""
    body = entry.body
    try:
        event = known.decode(body)
        canonical = _encode(event) == body
    except ValueError:  # msgspec's errors and those of UTF-8
        canonical = False
    if canonical and event.account == account:
        at = event.decided_at
        if at.tzinfo is UTC and at < _END_OF_TIME:
            return ParsedEvent(entry.sequence, known, account, event.entry, at, event, body)
    return _parse_strictly(entry, account, known)


def _parse_strictly(entry: StoredMessage, account: str, known: EventSchema) -> ParsedEvent:
    """A body that is not in canonical form. Raises UnreadableEntry."""
    body = parse_strict_json(entry.body)
    if b"null" in entry.body and (name := _null_in(body)) is not None:
        raise UnreadableEntry(f"{name} is null: a field without a value is left out")
    at = _parse_common(entry, body, account, known)
    number, amount = body["entry"], body["amount"] if known.has_amount else 1
    if not 0 < number <= MAX_CREDITS or not 0 < amount <= MAX_CREDITS:
        raise UnreadableEntry(
            f"entry is {printable(number)}, amount {printable(amount)}: not from 1 to 2^53-1"
        )
    parsed = ParsedEvent(entry.sequence, known, account, number, at, None, entry.body)
    parsed.canonical, parsed.fields = False, body
    parsed.dated = body.get("decided_at") is not None
    try:
        parsed.event = parse_details(known.event, body, at)
    except UnreadableEntry as problem:
        # Its number counts: the entries behind it in its account are in order.
        parsed.problem = problem
    return parsed


def _null_in(value: object, name: str = "the body") -> str | None:
    """The name of the first field that is null. No schema allows null: a field without a value is left out."""
    if value is None:
        return name
    if type(value) is dict:
        inner = ((field, part) for field, part in value.items())
    elif type(value) is list:
        inner = ((f"a part of {name}", part) for part in value)
    else:
        return None
    return next((found for field, part in inner if (found := _null_in(part, field)) is not None), None)


def _parse_common(entry: StoredMessage, body: object, account: str, known: EventSchema) -> datetime:
    """Check the fields that the event must have; when it was decided. Raises UnreadableEntry."""
    if type(body) is not dict:
        raise UnreadableEntry("the body is not a JSON object")
    stated = body.get("account")
    if stated != account:
        message = f"the body is about account {printable(stated)}, the subject about {account}"
        raise UnreadableEntry(message, BreachKind.WRONG_SUBJECT, stated if type(stated) is str else None)
    for name, kind in known.needed:
        if type(value := body.get(name)) is not kind:
            raise UnreadableEntry(f"{name} is {printable(value)}, not {_TYPE_NAMES[kind]}")
    balances = body["balances"]
    if type(balances.get("available")) is not int or type(balances.get("held")) is not int:
        raise UnreadableEntry("balances must say what is available and held, in whole credits")
    decided = body.get("decided_at")
    return _decided_at(decided) if decided is not None else _written_at(entry)


def _decided_at(value: object) -> datetime:
    time = parse_time(value, "decided_at")
    return time if time.tzinfo is UTC and time < _END_OF_TIME else parse_utc(value, "decided_at")


def _written_at(entry: StoredMessage) -> datetime:
    return parse_utc(parse_headers(entry.head).get("ce-time"), "header ce-time")


def stored_time(nanoseconds: int) -> datetime:
    """The time of storage; 1970 if it is out of range."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return _EPOCH
