"""Content negotiation by the Accept header (RFC 9110). Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

__all__ = ["preferred_media_type"]

T = TypeVar("T")


def preferred_media_type(accept: Sequence[str], offered: Mapping[str, T]) -> T | None:
    """The offered media type that the client prefers, the first of several; None if it names none of them.

    A wildcard names none: a client that accepts anything gets the default.
    """
    weights = {name: weight for name, weight in map(_weighed, ",".join(accept).split(",")) if weight > 0}
    best = max((weights.get(name, 0.0) for name in offered), default=0.0)
    return next((form for name, form in offered.items() if best and weights.get(name) == best), None)


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
