"""Ids and cursors as they appear in paths and queries."""

import re

from .cursor import BadCursor, after
from .errors import ApiError, NotFound

__all__ = ["generation_id", "place"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def generation_id(text: str) -> str:
    """`text`, if it can be the id of a generation. Raises NotFound: such a generation there can't be."""
    if not _UUID.fullmatch(text):
        raise NotFound
    return text


def place(kind: str, text: str | None) -> int | None:
    """Where a page begins. Raises ApiError 400 for a cursor that lists of `kind` do not give out."""
    try:
        return after(kind, text)
    except BadCursor:
        raise ApiError.bad("cursor", "is not one that this list has given out") from None
