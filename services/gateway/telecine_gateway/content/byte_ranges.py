"""Byte ranges and conditional requests (RFC 9110). Pure. A stored video never changes, so a strong ETag is enough."""

import re
from dataclasses import dataclass

__all__ = ["ByteRange", "RangeNotSatisfiable", "if_match_holds", "is_not_modified", "parse_range"]

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_LONGEST = 18
"""Digits of a position; one with more lies beyond the end of every video."""


class RangeNotSatisfiable(Exception):
    """No byte of the content lies in the range: 416."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `end`, both included, of `total`."""

    start: int
    end: int
    total: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1

    @property
    def is_whole(self) -> bool:
        return self.length == self.total

    def __str__(self) -> str:
        """As in Content-Range."""
        return f"bytes {self.start}-{self.end}/{self.total}"


def parse_range(total: int, header: str | None, if_range: str | None, etag: str) -> ByteRange | None:
    """The range of a Range header; None: the whole content, with 200.

    Several ranges, other units and malformed headers get the whole, as RFC 9110 allows; so does an If-Range that is
    not this content's ETag. Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if (
        match is None
        or (match[1], match[2]) == ("", "")
        or (if_range is not None and if_range.strip() != etag)
    ):
        return None
    if not match[1]:
        wanted = _number(match[2])
        if wanted == 0:
            raise RangeNotSatisfiable
        return ByteRange(max(0, total - wanted), total - 1, total)
    start, end = _number(match[1]), _number(match[2]) if match[2] else total - 1
    if match[2] and end < start:
        return None
    if start >= total:
        raise RangeNotSatisfiable
    return ByteRange(start, min(end, total - 1), total)


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _LONGEST else 10**_LONGEST


def if_match_holds(if_match: str | None, etag: str) -> bool:
    """Whether If-Match holds, by strong comparison; otherwise the response is 412."""
    if if_match is None:
        return True
    wanted = [tag.strip() for tag in if_match.split(",")]
    return "*" in wanted or etag in wanted


def is_not_modified(if_none_match: str | None, etag: str) -> bool:
    """Whether If-None-Match names the content; then the response is 304."""
    if if_none_match is None:
        return False
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known
