"""What the books hold: accounts, their grants, and the generations that were charged to them."""

from bisect import insort
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

__all__ = ["AccountBook", "ExpiryBook", "ForeignMessage", "GrantBook", "HoldBook", "Limits", "Parts", "rank"]

Parts = tuple[tuple[int, int], ...]
"""Which grants a movement took from and how much, in the order of taking: (entry number of the grant, credits)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANKS = {"promotional": 0, "plan": 1, "paid": 2}


@dataclass(slots=True, eq=False)
class GrantBook:
    """One grant and where its credits are now. `amount` = available + held + spent + expired + taken_back.

    `usable_until` is `expires_at`, or later where credits came back to it; None: never expires. `sequence` is where
    on the stream it was granted. `known` is False for a grant that an entry names and that was never seen. `shares` are
    parts that it paid alone, by their amount: prices are few, so that debits of the same have theirs in common.
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
    shares: dict[int, Parts] = field(default_factory=dict)

    def share(self, amount: int) -> Parts:
        """The part that it pays alone."""
        parts = self.shares.get(amount)
        if parts is None:
            parts = self.shares[amount] = ((self.number, amount),)
        return parts

    def usable(self, at: datetime) -> bool:
        """Whether its credits may be spent at that time."""
        return self.usable_until is None or self.usable_until > at


def rank(grant: GrantBook) -> tuple[bool, datetime, int, int]:
    """Its place in the order of taking: what expires first; promotional, plan, paid; the oldest."""
    until = grant.usable_until
    return until is None, until or EPOCH, _RANKS.get(grant.kind, 3), grant.number


# A struct: an audit makes one for every generation, and this is the cheapest class to make.
class HoldBook(Struct, gc=False, eq=False):
    """What the ledger says of one generation: its debit (or denial), and how it ended.

    `outcome` is ``held``, ``settled``, ``refunded`` or ``denied``. `since` is when the debit was decided, `day` the day
    of UTC that it counts for (an ordinal; 0: for none). `debited` and `ended` are sequences of the stream, `closing` is
    the number of the entry that settled or refunded it, `returned` what adjustments gave back after it was settled.
    `asked` and `made` are what VIDEO says of it: whether it was requested, and if it was ``completed`` or ``failed``.
    """

    generation: str
    amount: int
    parts: Parts
    since: datetime
    debited: int
    api_key: str | None = None
    day: int = 0
    outcome: str = "held"
    ended: int | None = None
    closing: int = 0
    returned: int = 0
    asked: bool = False
    made: str | None = None


@dataclass(slots=True, eq=False)
class ExpiryBook:
    """An expiry, for those who correct it: the grant, what it lost, and what adjustments gave back."""

    grant: int
    amount: int
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on spending, in credits; None does not bound."""

    per_day: int | None = None
    per_generation: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignMessage:
    """A message on the account's ledger that is not an entry: why, and its body's SHA-256.

    `entry`, `doubtful`, `adrift` and `unread` are the account's before it (the last three: before the first of them),
    `taken` is the number that it seemed to have, 0 for none.
    """

    problem: str
    sha256: str
    entry: int
    taken: int
    doubtful: bool
    adrift: bool
    unread: int


@dataclass(slots=True, eq=False)
class AccountBook:
    """One account, recomputed from its postings alone.

    `entry` is the number of its last entry. `issued` counts what it was granted without what was taken back, so
    issued = available + held + spent + expired. `holds` are the generations that run; `ended` those that were settled,
    refunded or denied; `expiries` are by the entry's number. `limits` has one bound per API key, and None for the whole
    account; `used` is what counts under them on `day`. `live` are the grants that have credits available, in the order
    of taking. `debits` counts generations that were charged. `unknown_prices` are those by price tables that nobody
    here knows: table, resolution, duration and credits; how many debits there are, and the sequence of the first.

    `named`: its entries name grants by now; those before are attributed by the order of taking. `doubtful`: entries
    are missing or can't be read, so what depends on all of them is no longer judged. `drift` is by how much claimed
    balances (available, held) are off: said once, and again only when it changes. `decided_at` is
    the latest time of a decision, of those that were restored and can be believed. `foreign` are messages by sequence
    that are not entries and that no decision has skipped.
    """

    name: str
    entry: int = 0
    available: int = 0
    held: int = 0
    issued: int = 0
    spent: int = 0
    expired: int = 0
    closed: bool = False
    grants: dict[int, GrantBook] = field(default_factory=dict)
    holds: dict[str, HoldBook] = field(default_factory=dict)
    ended: dict[str, HoldBook] = field(default_factory=dict)
    expiries: dict[int, ExpiryBook] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    limits: dict[str | None, Limits] = field(default_factory=dict)
    used: dict[str | None, int] = field(default_factory=dict)
    day: int = 0
    debits: int = 0
    unknown_prices: dict[tuple[str, str, int, int], tuple[int, int]] = field(default_factory=dict)
    live: list[GrantBook] = field(default_factory=list)
    named: bool = False
    doubtful: bool = False
    adrift: bool = False
    _settlements: dict[int, HoldBook] | None = None
    drift: tuple[int, int] = (0, 0)
    unread: int = 0
    foreign: dict[int, ForeignMessage] = field(default_factory=dict)
    available_side: str = ""
    held_side: str = ""
    decided_at: datetime = EPOCH

    def __post_init__(self) -> None:
        self.available_side = f"{self.name}:available"
        self.held_side = f"{self.name}:held"

    @property
    def unknown_tables(self) -> int:
        """Debits by a price table that the auditor does not know."""
        return sum(count for count, _ in self.unknown_prices.values())

    def charge_unknown(self, price: tuple[str, str, int, int], sequence: int) -> None:
        """A debit of that price, by a table that is not known."""
        count, first = self.unknown_prices.get(price, (0, sequence))
        self.unknown_prices[price] = count + 1, first

    def end(self, hold: HoldBook, outcome: str, *, number: int, sequence: int) -> None:
        """The entry of that number and sequence ended a hold."""
        hold.outcome, hold.closing, hold.ended = outcome, number, sequence
        self.ended[hold.generation] = hold
        if self._settlements is not None:
            self._settlements[number] = hold

    def settlement(self, number: int) -> HoldBook | None:
        """What the entry of that number settled. They are indexed when the first one is asked for: few ever are."""
        if self._settlements is None:
            self._settlements = {hold.closing: hold for hold in self.ended.values()}
        hold = self._settlements.get(number)
        return hold if hold is not None and hold.outcome == "settled" else None

    def hold(self, parts: Parts) -> None:
        """available → held."""
        for number, amount in parts:
            grant = self.grants[number]
            self.take(grant, amount)
            grant.held += amount
            self.held += amount

    def spend(self, parts: Parts) -> None:
        """held → spent."""
        for number, amount in parts:
            grant = self.grants[number]
            grant.held -= amount
            self.held -= amount
            grant.spent += amount
            self.spent += amount

    def release(self, parts: Parts) -> None:
        """held → available."""
        for number, amount in parts:
            grant = self.grants[number]
            grant.held -= amount
            self.held -= amount
            self.put(grant, amount)

    def enter(self, grant: GrantBook) -> None:
        """A grant as it stands, the account's own figures left alone."""
        self.grants[grant.number] = grant
        if grant.available > 0:
            insort(self.live, grant, key=rank)

    def take(self, grant: GrantBook, amount: int) -> None:
        """Credits leave what the grant has available."""
        self.available -= amount
        had = grant.available
        grant.available = had - amount
        if had > 0 >= grant.available:
            self.live.remove(grant)

    def put(self, grant: GrantBook, amount: int) -> None:
        """Credits come to what the grant has available."""
        self.available += amount
        had = grant.available
        grant.available = had + amount
        if had <= 0 < grant.available:
            insort(self.live, grant, key=rank)

    def prolong(self, parts: Parts, until: datetime) -> None:
        """Credits that came back to these grants can be spent until then at least."""
        for number, _ in parts:
            grant = self.grants[number]
            if grant.usable_until is not None and grant.usable_until < until:
                grant.usable_until = until
        self.live.sort(key=rank)
