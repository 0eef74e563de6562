"""A ledger written line by line, as a careful writer would or with any fault that a test wants."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.audit.large_ledger import event_head, event_id

from telecine_auditor.sources.message import StoredMessage

__all__ = ["DAY", "HOUR", "NOW", "LedgerBuilder", "LedgerLine"]

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GrantShare = tuple[int, int]
"""Number of the grant, and how many of its credits."""

_TYPES = {
    "closed": "account.closed.v1",
    "reopened": "account.reopened.v1",
    "limits_set": "account.limits_set.v1",
    "denied": "credits.denied.v2",
}


@dataclass
class LedgerLine:
    """One entry before it is written: everything in it may be changed. `stored`: when, if not at once."""

    subject: str
    type: str
    id: str
    at: datetime
    body: dict[str, Any]
    stored: datetime | None = None
    raw: bytes | None = None
    head: bytes | None = None

    def entry(self, sequence: int) -> StoredMessage:
        """The entry at that place of the stream."""
        clock = self.at.isoformat()[:-6]
        head = (
            self.head
            if self.head is not None
            else event_head(self.id, self.type, self.subject, clock, self.id)
        )
        body = self.raw if self.raw is not None else json.dumps(self.body, separators=(",", ":")).encode()
        stored = self.stored or self.at
        return StoredMessage(sequence, int(stored.timestamp()) * 10**9, self.subject, head, body)


@dataclass
class LedgerBuilder:
    """Entry numbers and balances are counted here, from the postings; time goes on by a minute a line."""

    lines: list[LedgerLine] = field(default_factory=list)
    sums: dict[str, Counter[str]] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    now: datetime = NOW

    @property
    def last(self) -> LedgerLine:
        """The line written last; its place is `len(lines)`."""
        return self.lines[-1]

    def entries(self) -> list[StoredMessage]:
        """The stream."""
        return [line.entry(sequence) for sequence, line in enumerate(self.lines, 1)]

    def granted(self, account: str, amount: int, *, reference: str | None = None, **more: Any) -> int:
        """A grant; its number."""
        number = self.numbers[account] + 1
        own = {"kind": "paid", "reference": reference or f"r{number}", "reason": ""} | more
        self.add(account, "granted", ("issued", ":available", ((number, amount),)), amount=amount, **own)
        return number

    def debited(self, account: str, generation: str, *parts: GrantShare, **more: Any) -> None:
        """A debit; `price`: what it costs, else what it takes, by an unknown price table."""
        amount = sum(taken for _, taken in parts)
        price = {"credits": amount, "table": "2025-01", "resolution": "720p", "duration": amount}
        own = {"generation": generation, "amount": amount, "price": price} | more
        self.add(account, "debited", (":available", ":held", parts), **own)

    def settled(self, account: str, generation: str, *parts: GrantShare, **more: Any) -> None:
        """A settlement."""
        own = {"generation": generation, "amount": sum(part for _, part in parts)} | more
        self.add(account, "settled", (":held", "spent", parts), **own)

    def refunded(self, account: str, generation: str, *parts: GrantShare, **more: Any) -> None:
        """A refund."""
        own = {
            "generation": generation,
            "amount": sum(part for _, part in parts),
            "reason": "deadline",
        } | more
        self.add(account, "refunded", (":held", ":available", parts), **own)

    def expired(self, account: str, grant: int, amount: int) -> None:
        """An expiry."""
        self.add(
            account, "expired", (":available", "expired", ((grant, amount),)), grant=grant, amount=amount
        )

    def adjusted(self, account: str, corrects: int, source: str, *parts: GrantShare, **more: Any) -> None:
        """A correction; `source`: ``:available`` (goes back to issued), ``spent`` or ``expired``."""
        amount = sum(part for _, part in parts)
        own = {
            "corrects": corrects,
            "amount": amount,
            "reference": f"t{len(self.lines)}",
            "reason": "",
        } | more
        target = "issued" if source == ":available" else ":available"
        self.add(account, "adjusted", (source, target, parts), **own)

    def denied(self, account: str, generation: str, **more: Any) -> None:
        """A denial, for want of credits where nothing else is said."""
        available = self.sums.get(account, Counter())["available"]
        own = {"generation": generation, "reason": "insufficient_credits", "needed": available + 1}
        self.add(account, "denied", None, **(own | {"available": available} | more))

    def closed(self, account: str) -> None:
        """The account is closed."""
        self.add(account, "closed", None, reason="")

    def limited(self, account: str, **limits: Any) -> None:
        """Limits are set."""
        self.add(account, "limits_set", None, **limits)

    def add(
        self, account: str, action: str, move: tuple[str, str, tuple[GrantShare, ...]] | None, **own: Any
    ) -> None:
        """One line more, a minute later."""
        self.now += timedelta(minutes=1)
        self.numbers[account] += 1
        postings = [] if move is None else self._legs(account, *move)
        body = {
            "account": account,
            "entry": self.numbers[account],
            "postings": postings,
            "balances": self._balances(account, postings),
            "decided_at": self.now.isoformat().replace("+00:00", "Z"),
        } | own
        subject = f"ledger.{account}.{action}"
        kind = _TYPES.get(action, f"credits.{action}.v1")
        self.lines.append(LedgerLine(subject, kind, event_id(len(self.lines), account), self.now, body))

    def _legs(
        self, account: str, source: str, target: str, parts: tuple[GrantShare, ...]
    ) -> list[dict[str, Any]]:
        sides = [account + side if side.startswith(":") else side for side in (source, target)]
        return [
            {"account": side, "amount": sign * amount, "grant": number}
            for number, amount in parts
            for side, sign in zip(sides, (-1, 1), strict=True)
        ]

    def _balances(self, account: str, postings: list[dict[str, Any]]) -> dict[str, int]:
        sums = self.sums.setdefault(account, Counter())
        for leg in postings:
            owner, _, side = leg["account"].rpartition(":")
            if owner == account:
                sums[side] += leg["amount"]
        return {side: sums[side] for side in ("available", "held")}
