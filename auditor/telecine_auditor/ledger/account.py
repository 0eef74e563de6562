"""State of the replay: accounts, their grants, and the generations that were charged to them."""

from bisect import insort
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

__all__ = ["Account", "Expiry", "ForeignMessage", "Grant", "GrantShares", "Hold", "Limits", "burn_rank"]

GrantShares = tuple[tuple[int, int], ...]
"""Grants that a movement took credits from, in burn order: (entry number of the grant, credits)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANKS = {"promotional": 0, "plan": 1, "paid": 2}


@dataclass(slots=True, eq=False)
class Grant:
    """One grant and the state of its credits: `amount` = available + held + spent + expired + taken_back.

    `usable_until` is `expires_at`, or later where credits came back to it; None: never expires. `sequence` is the
    stream sequence of the grant. `known` is False for a grant that an entry names and that was never granted.
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
    # There are few prices, so debits that one grant pays alone share one tuple for each amount.
    shares: dict[int, GrantShares] = field(default_factory=dict)

    def share(self, amount: int) -> GrantShares:
        """The shares of a debit that this grant pays alone."""
        parts = self.shares.get(amount)
        if parts is None:
            parts = self.shares[amount] = ((self.number, amount),)
        return parts

    def usable(self, at: datetime) -> bool:
        """Whether its credits may be spent at that time."""
        return self.usable_until is None or self.usable_until > at


def burn_rank(grant: Grant) -> tuple[bool, datetime, int, int]:
    """Sort key of the burn order: first what expires first; then promotional, plan, paid; then the oldest."""
    until = grant.usable_until
    return until is None, until or EPOCH, _RANKS.get(grant.kind, 3), grant.number


# A struct: an audit makes one for every generation, and this is the cheapest class to make.
class Hold(Struct, gc=False, eq=False):
    """One generation: its debit or denial, and how it ended.

    `outcome` is ``held``, ``settled``, ``refunded`` or ``denied``. `since` is the time of the debit, `day` the UTC day
    that it counts for under spend limits (an ordinal; 0: none). `debited` and `ended` are stream sequences, `closing`
    is the number of the entry that settled or refunded it, `returned` is what adjustments gave back after settlement.
    Where the model chose the length: `lengths` are the credits of each, `seconds` is the one that was settled, and
    `released` the credits of the debit that were not needed; `parts` are then what was spent.
    From VIDEO: `requested`, and `video_outcome`, which is ``completed``, ``failed`` or None.
    """

    generation: str
    amount: int
    parts: GrantShares
    since: datetime
    debited: int
    api_key: str | None = None
    day: int = 0
    outcome: str = "held"
    ended: int | None = None
    closing: int = 0
    returned: int = 0
    lengths: tuple[tuple[int, int], ...] | None = None
    seconds: int | None = None
    released: int = 0
    requested: bool = False
    video_outcome: str | None = None


@dataclass(slots=True, eq=False)
class Expiry:
    """An expiry, which adjustments may correct: the grant, the credits that expired, and those that were given back."""

    grant: int
    amount: int
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Spend limits in credits; None: no limit."""

    per_day: int | None = None
    per_generation: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignMessage:
    """A message on the account's ledger that is not an entry: the reason, and the SHA-256 of its body.

    `entry`, `incomplete`, `balance_unknown` and `unread` are the account's values before the message (the last three:
    before the first of several such messages). `taken` is the entry number that it seemed to have; 0: none.
    """

    problem: str
    sha256: str
    entry: int
    taken: int
    incomplete: bool
    balance_unknown: bool
    unread: int


@dataclass(slots=True, eq=False)
class Account:
    """One account, recomputed from its postings alone.

    `entry` is the number of its last entry; issued = available + held + spent + expired. `holds` are running
    generations, `ended` those that were settled, refunded or denied. `expiries` are by entry number. `limits` and
    `used` are by API key, and None for the whole account; `used` counts for `day`. `available_grants` have credits
    available, in burn order. `debits` counts debits. `unknown_prices` counts debits by unknown price tables:
    (table, clip, credits) to the number of debits and the sequence of the first.

    `names_grants`: its entries name grants; those before are attributed by the burn order. `incomplete`: entries are
    missing or unreadable, so rules that depend on all entries are not applied. `balance_offset` is the difference
    between stated and computed balances (available, held), reported when it changes. `balance_unknown`: what an
    unreadable entry moved is not known, so the next difference is not a breach. `decided_at` is the latest plausible
    time of restored entries. `unread` counts entries without a readable number. `foreign_messages` are, by sequence,
    messages that are not entries and that no decision has skipped.
    """

    name: str
    entry: int = 0
    available: int = 0
    held: int = 0
    issued: int = 0
    spent: int = 0
    expired: int = 0
    closed: bool = False
    grants: dict[int, Grant] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    ended: dict[str, Hold] = field(default_factory=dict)
    expiries: dict[int, Expiry] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    limits: dict[str | None, Limits] = field(default_factory=dict)
    used: dict[str | None, int] = field(default_factory=dict)
    day: int = 0
    debits: int = 0
    unknown_prices: dict[tuple[str, str, int], tuple[int, int]] = field(default_factory=dict)
    available_grants: list[Grant] = field(default_factory=list)
    names_grants: bool = False
    incomplete: bool = False
    balance_unknown: bool = False
    _settlements: dict[int, Hold] | None = None
    balance_offset: tuple[int, int] = (0, 0)
    unread: int = 0
    foreign_messages: dict[int, ForeignMessage] = field(default_factory=dict)
    available_side: str = ""
    held_side: str = ""
    decided_at: datetime = EPOCH

    def __post_init__(self) -> None:
        self.available_side = f"{self.name}:available"
        self.held_side = f"{self.name}:held"

    @property
    def unknown_tables(self) -> int:
        """Number of debits by price tables that the auditor does not know."""
        return sum(count for count, _ in self.unknown_prices.values())

    def charge_unknown(self, price: tuple[str, str, int], sequence: int) -> None:
        """Count a debit of that price, by a table that the auditor does not know."""
        count, first = self.unknown_prices.get(price, (0, sequence))
        self.unknown_prices[price] = count + 1, first

    def end(self, hold: Hold, outcome: str, *, number: int, sequence: int) -> None:
        """The entry of that number and sequence settled or refunded a hold."""
        hold.outcome, hold.closing, hold.ended = outcome, number, sequence
        self.ended[hold.generation] = hold
        if self._settlements is not None:
            self._settlements[number] = hold

    def settlement(self, number: int) -> Hold | None:
        """The hold that the entry of that number settled."""
        # Few settlements are adjusted, so the index is built when the first one is.
        if self._settlements is None:
            self._settlements = {hold.closing: hold for hold in self.ended.values()}
        hold = self._settlements.get(number)
        return hold if hold is not None and hold.outcome == "settled" else None

    def hold(self, parts: GrantShares) -> None:
        """available → held."""
        for number, amount in parts:
            grant = self.grants[number]
            self.take(grant, amount)
            grant.held += amount
            self.held += amount

    def spend(self, parts: GrantShares) -> None:
        """held → spent."""
        for number, amount in parts:
            grant = self.grants[number]
            grant.held -= amount
            self.held -= amount
            grant.spent += amount
            self.spent += amount

    def release(self, parts: GrantShares) -> None:
        """held → available."""
        for number, amount in parts:
            grant = self.grants[number]
            grant.held -= amount
            self.held -= amount
            self.put(grant, amount)

    def enter(self, grant: Grant) -> None:
        """Add a grant from a snapshot; the account's own sums stay as they are."""
        self.grants[grant.number] = grant
        if grant.available > 0:
            insort(self.available_grants, grant, key=burn_rank)

    def take(self, grant: Grant, amount: int) -> None:
        """Remove credits from what the grant has available."""
        self.available -= amount
        # `available_grants` stays sorted, so that a debit finds its payers without a search.
        had = grant.available
        grant.available = had - amount
        if had > 0 >= grant.available:
            self.available_grants.remove(grant)

    def put(self, grant: Grant, amount: int) -> None:
        """Add credits to what the grant has available."""
        self.available += amount
        had = grant.available
        grant.available = had + amount
        if had <= 0 < grant.available:
            insort(self.available_grants, grant, key=burn_rank)

    def prolong(self, parts: GrantShares, until: datetime) -> None:
        """Extend the grants: credits that came back to them can be spent until then at least."""
        for number, _ in parts:
            grant = self.grants[number]
            if grant.usable_until is not None and grant.usable_until < until:
                grant.usable_until = until
        self.available_grants.sort(key=burn_rank)
