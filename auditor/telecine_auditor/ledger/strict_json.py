"""Strict JSON: documents, times and amounts that every reader reads alike."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json

from .events import MAX_CREDITS
from .header_parser import UnreadableEntry, printable

__all__ = ["parse_amount", "parse_strict_json", "parse_time", "parse_utc"]

_YEARS = range(1970, 9000)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
"""ISO 8601 has many more forms; these are the ones that every reader of events accepts."""


def parse_strict_json(body: bytes) -> Any:
    """The JSON document. Raises Unreadable for anything else, and where a field is named twice: readers differ."""
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        raise UnreadableEntry("the body is not JSON") from None
    # pydantic_core keeps the last of two fields of one name. Only a body that it would write otherwise can have such
    # fields, so most are parsed once.
    if to_json(value) != body:
        try:
            json.loads(body.decode(), object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError):
            raise UnreadableEntry("the body is not JSON that every reader reads") from None
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnreadableEntry("the body names a field twice")
    return fields


def parse_utc(value: object, name: str) -> datetime:
    """A time in UTC, from 1970 to 8999. Raises UnreadableEntry."""
    time = parse_time(value, name)
    if time.year not in _YEARS:
        raise UnreadableEntry(f"{name} is {printable(value)}, out of all reason")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def parse_time(value: object, name: str, *, zone_needed: bool = True) -> datetime:
    """A time with its zone; UTC where it has none and needs none. Raises UnreadableEntry."""
    if type(value) is str and _TIME.fullmatch(value):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = None
        if time is not None and time.tzinfo is not None:
            return time
        if time is not None and not zone_needed:
            return time.replace(tzinfo=UTC)
    raise UnreadableEntry(f"{name} is {printable(value)}, not a time with its zone")


def parse_amount(value: object, name: str, least: int = 0) -> int:
    """A number of credits. Raises UnreadableEntry."""
    if type(value) is not int or not least <= value <= MAX_CREDITS:
        raise UnreadableEntry(f"{name} is {printable(value)}, not a whole number from {least} to 2^53-1")
    return value
