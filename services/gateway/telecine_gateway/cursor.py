"""Opaque cursors: the place after which a page begins."""

import base64
import binascii
import re

__all__ = ["BadCursor", "after", "cursor"]

_FORM = re.compile(rb"v1:([a-z]{1,16}):([0-9]{1,18})")


class BadCursor(ValueError):
    """A cursor that no page of this list has given out."""


def cursor(kind: str, place: int) -> str:
    """The cursor of `place` in lists of `kind`."""
    return base64.urlsafe_b64encode(f"v1:{kind}:{place}".encode()).rstrip(b"=").decode()


def after(kind: str, text: str | None) -> int | None:
    """The place a cursor stands for; None without one. Raises BadCursor."""
    if text is None:
        return None
    try:
        raw = text.encode("ascii")
        match = _FORM.fullmatch(base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error):
        match = None
    if match is None or match[1].decode() != kind:
        raise BadCursor
    return int(match[2])
