"""Postings of an entry: whose credits they move, and whether they move as they must."""

from collections import defaultdict
from collections.abc import Sequence

from .account import GrantShares
from .events import MAX_CREDITS, Posting
from .header_parser import UnreadableEntry, printable

__all__ = ["UNATTRIBUTED", "describe_imbalance", "match_transfer", "parse_postings", "total_amount"]

UNATTRIBUTED = 0
"""The grant of postings from before 0.2, which name none."""


def parse_postings(postings: Sequence[object]) -> list[Posting]:
    """Typed postings from strict JSON. Raises UnreadableEntry."""
    return [_posting(posting) for posting in postings]


def _posting(posting: object) -> Posting:
    if type(posting) is not dict:
        raise UnreadableEntry(f"a posting is {printable(posting)}, not an object")
    side, amount, grant = posting.get("account"), posting.get("amount"), posting.get("grant")
    if type(side) is not str:
        raise UnreadableEntry(f"the account of a posting is {printable(side)}, not a text")
    if type(amount) is not int or not -MAX_CREDITS <= amount <= MAX_CREDITS:
        raise UnreadableEntry(
            f"the amount of a posting is {printable(amount)}, not a whole number within ±(2^53-1)"
        )
    if grant is not None and (type(grant) is not int or not 0 < grant <= MAX_CREDITS):
        raise UnreadableEntry(f"the grant of a posting is {printable(grant)}, not the number of an entry")
    return Posting(side, amount, grant or UNATTRIBUTED)


def match_transfer(postings: Sequence[Posting], source: str, target: str) -> GrantShares | None:
    """Credits that the postings move from `source` to `target`, by grant; None if they do anything else."""
    # Two postings, of one grant, are by far the most common case.
    if len(postings) == 2:
        off, onto = postings
        amount, grant = onto.amount, onto.grant
        if (
            amount > 0
            and off.amount == -amount
            and off.grant == grant
            and off.account == source
            and onto.account == target
        ):
            return ((grant, amount),)
    return _paired(postings, source, target)


def _paired(postings: Sequence[Posting], source: str, target: str) -> GrantShares | None:
    off: dict[int, int] = {}
    onto: dict[int, int] = {}
    for posting in postings:
        sums = off if posting.account == source and posting.amount < 0 else onto
        if (sums is onto and (posting.account != target or posting.amount <= 0)) or posting.grant in sums:
            return None
        sums[posting.grant] = abs(posting.amount)
    if off != onto or not onto or (UNATTRIBUTED in onto and len(onto) > 1):
        return None
    return tuple(onto.items())


def total_amount(parts: GrantShares) -> int:
    """Sum of the credits of all parts."""
    return sum(amount for _, amount in parts)


def describe_imbalance(postings: Sequence[Posting]) -> str | None:
    """Which sum is not zero: of all postings, or of those of one grant. None: the sums are zero."""
    sums: defaultdict[int, int] = defaultdict(int)
    for posting in postings:
        sums[posting.grant] += posting.amount
    if whole := sum(sums.values()):
        return f"the postings sum to {whole}"
    wrong = {grant: left for grant, left in sums.items() if left}
    if not wrong:
        return None
    grant, left = next(iter(wrong.items()))
    return (
        f"the postings of grant {grant} sum to {left}" if grant else f"postings without a grant sum to {left}"
    )
