"""The legs of an entry: whose credits its postings move, and whether they move as they must."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from .account import Parts
from .event_parser import MAX_CREDITS
from .header_parser import Unreadable, shown

__all__ = ["UNNAMED", "Leg", "fault_of", "moved", "read_legs", "total"]

UNNAMED = 0
"""Stands for the grant in parts of entries from before 0.2, which name none."""


class Leg(NamedTuple):
    """`amount` credits of `grant` onto one side of the ledger."""

    side: str
    amount: int
    grant: int


def moved(postings: list[Any], source: str, target: str) -> Parts | None:
    """What goes from `source` to `target`, by grants; None when the legs say anything else than that.

    Raises Unreadable.
    """
    if len(postings) == 2:
        off, onto = postings
        try:
            amount, grant = onto["amount"], onto["grant"]
            if (
                type(amount) is int
                and type(grant) is int
                and type(lost := off["amount"]) is int
                and type(of := off["grant"]) is int
                and lost == -amount
                and of == grant
                and 0 < amount <= MAX_CREDITS
                and 0 < grant <= MAX_CREDITS
                and off["account"] == source
                and onto["account"] == target
            ):
                return ((grant, amount),)
        except (KeyError, TypeError):
            pass
    return _paired(read_legs(postings), source, target)


def read_legs(postings: Sequence[object]) -> list[Leg]:
    """Legs with every field of the type that it must have. Raises Unreadable."""
    return [_leg(posting) for posting in postings]


def _leg(posting: object) -> Leg:
    if type(posting) is not dict:
        raise Unreadable(f"a posting is {shown(posting)}, not an object")
    side, amount, grant = posting.get("account"), posting.get("amount"), posting.get("grant")
    if type(side) is not str:
        raise Unreadable(f"the account of a posting is {shown(side)}, not a text")
    if type(amount) is not int or not -MAX_CREDITS <= amount <= MAX_CREDITS:
        raise Unreadable(f"the amount of a posting is {shown(amount)}, not a whole number within ±(2^53-1)")
    if grant is not None and (type(grant) is not int or not 0 < grant <= MAX_CREDITS):
        raise Unreadable(f"the grant of a posting is {shown(grant)}, not the number of an entry")
    return Leg(side, amount, grant or UNNAMED)


def _paired(legs: Sequence[Leg], source: str, target: str) -> Parts | None:
    off: dict[int, int] = {}
    onto: dict[int, int] = {}
    for leg in legs:
        sums = off if leg.side == source and leg.amount < 0 else onto
        if (sums is onto and (leg.side != target or leg.amount <= 0)) or leg.grant in sums:
            return None
        sums[leg.grant] = abs(leg.amount)
    if off != onto or not onto or (UNNAMED in onto and len(onto) > 1):
        return None
    return tuple(onto.items())


def total(parts: Parts) -> int:
    """Credits in all parts together."""
    return sum(amount for _, amount in parts)


def fault_of(legs: Sequence[Leg]) -> str | None:
    """In words, which sum is not zero: of all legs, or of those of one grant. None: the sums are zero."""
    sums: defaultdict[int, int] = defaultdict(int)
    for leg in legs:
        sums[leg.grant] += leg.amount
    if whole := sum(sums.values()):
        return f"the postings sum to {whole}"
    wrong = {grant: left for grant, left in sums.items() if left}
    if not wrong:
        return None
    grant, left = next(iter(wrong.items()))
    return (
        f"the postings of grant {grant} sum to {left}" if grant else f"postings without a grant sum to {left}"
    )
