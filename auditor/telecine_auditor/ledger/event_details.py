"""Strict parsing of the fields that only some events have, and of postings: one parser for each event.

Every parser checks in a fixed order, so that the first wrong field is the one that is reported.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from . import events
from .events import Balances, LedgerEvent, LimitReached, Price
from .header_parser import UnreadableEntry, printable
from .postings import parse_postings
from .strict_json import parse_amount, parse_time

__all__ = ["parse_details"]

Body = dict[str, Any]

_KINDS = ("paid", "promotional", "plan")
_REASONS = ("insufficient_credits", "generation_ended", "account_closed", "spend_limit")
_LIMITS = {"scope": ("account", "api_key"), "per": ("day", "generation")}


def parse_details(event: type[LedgerEvent], body: Body, decided_at: datetime) -> LedgerEvent:
    """The typed event of a body whose common fields have the right types. Raises UnreadableEntry."""
    details = _PARSERS[event](body)
    postings = parse_postings(body["postings"])
    balances = Balances(body["balances"]["available"], body["balances"]["held"])
    return event(body["account"], body["entry"], postings, balances, decided_at, **details)


def _granted(body: Body) -> Body:
    # Before 0.2 a grant could be given an expiry without a zone.
    expires_at = _time(body, "expires_at", zone_needed=False)
    if body["kind"] not in _KINDS:
        raise UnreadableEntry(f"kind is {printable(body['kind'])}, not one of {', '.join(_KINDS)}")
    return _of(body, "amount", "kind", "reference", "reason") | {"expires_at": expires_at}


def _debited(body: Body) -> Body:
    price = _price(body["price"])
    return _of(body, "generation", "amount") | {"price": price, "api_key": _api_key(body)}


def _price(price: Body) -> Price:
    credits, table = price.get("credits"), price.get("table")
    resolution, duration = price.get("resolution"), price.get("duration")
    if type(credits) is not int or type(duration) is not int:
        raise UnreadableEntry(f"price is {printable(price)}: credits and duration must be whole numbers")
    if type(table) is not str or type(resolution) is not str:
        raise UnreadableEntry(f"price is {printable(price)}: table and resolution must be texts")
    options: Body = {}
    for name, kind in (("model", str), ("audio", bool), ("input_video", bool), ("tier", str)):
        options[name] = price.get(name)
        if options[name] is not None and type(options[name]) is not kind:
            raise UnreadableEntry(f"price is {printable(price)}: {name} has the wrong type")
    return Price(credits, table, resolution, duration, **options, by_seconds=_by_seconds(price))


def _by_seconds(price: Body) -> tuple[tuple[int, int], ...] | None:
    lengths = price.get("by_seconds")
    if lengths is None:
        return None
    if type(lengths) is not list or not all(
        type(length) is list and [type(number) for number in length] == [int, int] for length in lengths
    ):
        raise UnreadableEntry(f"price is {printable(price)}: by_seconds must be pairs of whole numbers")
    return tuple((seconds, credits) for seconds, credits in lengths)


def _settled(body: Body) -> Body:
    seconds = body.get("seconds")
    if seconds is not None and type(seconds) is not int:
        raise UnreadableEntry(f"seconds is {printable(seconds)}, not a whole number")
    released = body.get("released")
    return _of(body, "generation", "amount") | {
        "seconds": seconds,
        "released": None if released is None else parse_amount(released, "released", least=1),
        "usable_until": _time(body, "usable_until"),
    }


def _denied(body: Body) -> Body:
    if body["reason"] not in _REASONS:
        raise UnreadableEntry(f"reason is {printable(body['reason'])}, not one of {', '.join(_REASONS)}")
    limit = _limit_reached(body.get("limit"))
    amounts = {name: parse_amount(body.get(name), name) for name in ("needed", "available")}
    return _of(body, "generation", "reason") | amounts | {"limit": limit}


def _limit_reached(limit: Any) -> LimitReached | None:
    if limit is None:
        return None
    if type(limit) is not dict:
        raise UnreadableEntry(f"limit is {printable(limit)}, not an object")
    for name, allowed in _LIMITS.items():
        if limit.get(name) not in allowed:
            raise UnreadableEntry(f"limit is {printable(limit)}: {name} must be one of {', '.join(allowed)}")
    amounts = parse_amount(limit.get("limit"), "limit"), parse_amount(limit.get("used"), "used")
    return LimitReached(limit["scope"], limit["per"], *amounts)


def _refunded(body: Body) -> Body:
    return _of(body, "generation", "amount", "reason") | {"usable_until": _time(body, "usable_until")}


def _adjusted(body: Body) -> Body:
    usable_until = _time(body, "usable_until")
    return _of(body, "corrects", "amount", "reference", "reason") | {"usable_until": usable_until}


def _limits_set(body: Body) -> Body:
    # An absent limit does not bound; an explicit null was refused before.
    names = ("per_day", "per_generation")
    bounds = {name: parse_amount(body[name], name) for name in names if body.get(name) is not None}
    return bounds | {"api_key": _api_key(body)}


def _api_key(body: Body) -> str | None:
    key = body.get("api_key")
    if key is not None and type(key) is not str:
        raise UnreadableEntry(f"api_key is {printable(key)}, not a text")
    return key


def _time(body: Body, name: str, *, zone_needed: bool = True) -> datetime | None:
    value = body.get(name)
    return None if value is None else parse_time(value, name, zone_needed=zone_needed)


def _of(body: Body, *names: str) -> Body:
    return {name: body[name] for name in names}


_PARSERS: dict[type[LedgerEvent], Callable[[Body], Body]] = {
    events.CreditsGranted: _granted,
    events.CreditsDebited: _debited,
    events.CreditsDenied: _denied,
    events.CreditsSettled: _settled,
    events.CreditsRefunded: _refunded,
    events.CreditsExpired: lambda body: _of(body, "grant", "amount"),
    events.CreditsAdjusted: _adjusted,
    events.AccountClosed: lambda body: _of(body, "reason"),
    events.AccountReopened: lambda body: _of(body, "reason"),
    events.SpendLimitsSet: _limits_set,
    events.MessageSkipped: lambda body: _of(body, "skips", "sha256", "reason"),
}
