"""What the books hold: accounts, their grants, and the generations that were charged to them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = ["AccountBook", "GrantBook", "HoldBook", "Limits", "Outcome", "Parts"]


Parts = tuple[tuple[int, int], ...]
"""Which grants a movement took from and how much, in the order of taking: (entry number of the grant, credits)."""

Outcome = str
"""How a generation stands on the ledger: ``held``, ``settled``, ``refunded`` or ``denied``."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANK = {"promotional": 0, "plan": 1, "paid": 2}


@dataclass(slots=True, eq=False)
class GrantBook:
    """One grant and where its credits are now. `amount` = available + held + spent + expired + taken_back.

    `usable_until` is `expires_at`, or later where credits came back to it; None: never expires. `sequence` is where
    on the stream it was granted. `known` is False for a grant that entries name and that was never seen.
    """

    number: int
    amount: int
    kind: str
    reference: str
    granted_at: datetime
    expires_at: datetime | None
    sequence: int
    usable_until: datetime | None = None
    available: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0
    taken_back: int = 0
    known: bool = True

    @property
    def rank(self) -> tuple[bool, datetime, int, int]:
        """Its place in the order of taking: what expires first; promotional, plan, paid; the oldest."""
        until = self.usable_until
        return until is None, until or EPOCH, _RANK.get(self.kind, 3), self.number


@dataclass(slots=True, eq=False)
class HoldBook:
    """What the ledger says of one generation: its debit (or denial), and how it ended.

    `since` is when the debit was decided, `day` the day of UTC that it counts for (an ordinal), `debited` and `ended`
    are sequences of the stream; `returned` is what adjustments gave back after it was settled.
    """

    generation: str
    amount: int
    parts: Parts
    since: datetime
    debited: int
    api_key: str | None = None
    day: int = 0
    outcome: Outcome = "held"
    ended: int | None = None
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on spending, in credits; None does not bound."""

    per_day: int | None = None
    per_generation: int | None = None


@dataclass(slots=True, eq=False)
class AccountBook:
    """One account, recomputed from its postings alone.

    `entry` is the number of its last entry. `issued` counts what it was granted without what was taken back, so
    issued = available + held + spent + expired. `holds` are the generations that run; `ended` those that were settled,
    refunded or denied. `limits` has one bound per API key, and None for the whole account. `named`: its entries name
    grants by now; those before are attributed by the order of taking.
    """

    name: str
    entry: int = 0
    available: int = 0
    held: int = 0
    issued: int = 0
    spent: int = 0
    expired: int = 0
    closed: bool = False
    named: bool = False
    grants: dict[int, GrantBook] = field(default_factory=dict)
    holds: dict[str, HoldBook] = field(default_factory=dict)
    ended: dict[str, HoldBook] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    limits: dict[str | None, Limits] = field(default_factory=dict)
