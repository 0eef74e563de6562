"""JSON that every reader reads alike."""

import json
from typing import Any

from pydantic_core import from_json, to_json

from .header_parser import Unreadable

__all__ = ["read_json"]


def read_json(body: bytes) -> Any:
    """What the body says. Raises Unreadable for what is not JSON, or names a field twice: readers differ about it."""
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    # Written anew from what was read, it is the same but for a writer of other habits, and for fields named twice.
    if to_json(value) != body:
        try:
            json.loads(body.decode(), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise Unreadable("the body is not JSON that every reader reads") from None
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unreadable("the body names a field twice")
    return fields
