"""Entries as transactions: one with its postings for every entry that moves credits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telecine_auditor.event_descriptions import describe_body
from telecine_auditor.ledger.replay import LedgerReplay, ParsedEvent
from telecine_contracts.subjects import TOKEN

__all__ = [
    "AVAILABLE",
    "EXPIRED",
    "HELD",
    "ISSUED",
    "SPENT",
    "Opening",
    "Posting",
    "Side",
    "Transaction",
    "to_transaction",
]

ISSUED, SPENT, EXPIRED, AVAILABLE, HELD = "issued", "spent", "expired", "available", "held"
_SHARED = (ISSUED, SPENT, EXPIRED)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the double entry: issued, spent or expired; or available or held of the account `owner`."""

    name: str
    owner: str | None = None

    def __str__(self) -> str:
        return self.name if self.owner is None else f"{self.owner}:{self.name}"


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` credits added to `side` (negative: removed), of the grant with that entry number where it is named."""

    side: Side
    amount: int
    grant: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One entry that moves credits, as the event states it, including balances that may be wrong.

    `booked` is its booking time, which never goes back; `time` is the entry's own. `words` describes what it did. Texts
    of users are unchanged.
    """

    sequence: int
    booked: datetime
    time: datetime
    event_id: str
    type: str
    account: str
    entry: int
    words: str
    postings: tuple[Posting, ...]
    available: int
    held: int
    generation: str | None = None
    reference: str | None = None
    reason: str | None = None

    def changes(self) -> dict[Side, int]:
        """The change of each side: first both of the account (0 when one does not change), then the others."""
        found = {Side(AVAILABLE, self.account): 0, Side(HELD, self.account): 0}
        for posting in self.postings:
            found[posting.side] = found.get(posting.side, 0) + posting.amount
        return found

    def stated(self, side: Side) -> int | None:
        """The balance of a side after the entry as the event states it; None for a side that it does not state."""
        if side.owner != self.account:
            return None
        return {AVAILABLE: self.available, HELD: self.held}.get(side.name)

    def grants(self, side: Side) -> dict[int, int]:
        """How much of each grant it moves on a side, where the postings name grants."""
        found: dict[int, int] = {}
        for posting in self.postings:
            if posting.side == side and posting.grant is not None:
                found[posting.grant] = found.get(posting.grant, 0) + posting.amount
        return found


@dataclass(frozen=True, slots=True)
class Opening:
    """All balances at one point: where a part of the ledger begins or ends."""

    replay: LedgerReplay
    booked: datetime

    @property
    def sequence(self) -> int:
        """The last entry before that point."""
        return self.replay.sequence

    def shared(self) -> Iterator[tuple[Side, int]]:
        """The sides that all accounts share, with their balances."""
        yield Side(ISSUED), -self.replay.issued
        yield Side(SPENT), self.replay.spent
        yield Side(EXPIRED), self.replay.expired

    def owned(self) -> Iterator[tuple[Side, int]]:
        """Both sides of every account, with their balances."""
        for name, account in sorted(self.replay.accounts.items()):
            yield Side(AVAILABLE, name), account.available
            yield Side(HELD, name), account.held


def to_transaction(parsed: ParsedEvent, event_id: str, booked: datetime) -> Transaction | None:
    """The transaction of an entry; None for an entry that moves nothing.

    Raises ValueError for an entry that cannot be booked: a posting without a side or a whole amount, or no balances.
    """
    body = parsed.body
    postings = tuple(_postings(body.get("postings") or ()))
    if not postings:
        return None
    balances = body.get("balances")
    if not isinstance(balances, dict):
        raise ValueError("it states no balances")
    return Transaction(
        sequence=parsed.sequence,
        booked=booked,
        time=parsed.decided_at,
        event_id=event_id,
        type=parsed.type,
        account=parsed.account,
        entry=parsed.number,
        words=describe_body(parsed.action, body),
        postings=postings,
        available=_whole(balances, AVAILABLE),
        held=_whole(balances, HELD),
        generation=_text(body, "generation"),
        reference=_text(body, "reference"),
        reason=_text(body, "reason"),
    )


def _postings(postings: Iterable[Any]) -> Iterator[Posting]:
    for posting in postings:
        if not isinstance(posting, dict):
            raise ValueError("a posting is not an object")
        grant = posting.get("grant")
        number = None if grant is None else _whole(posting, "grant")
        yield Posting(_side(posting.get("account")), _whole(posting, "amount"), number)


def _side(name: object) -> Side:
    if name in _SHARED:
        return Side(str(name))
    owner, colon, side = str(name).rpartition(":")
    if not colon or side not in (AVAILABLE, HELD) or TOKEN.fullmatch(owner) is None:
        raise ValueError(f"{str(name)[:80]!r} is not a side of the ledger")
    return Side(side, owner)


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} is not a whole number")
    return value


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    return None if value is None else str(value)
