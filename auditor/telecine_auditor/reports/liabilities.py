"""Liabilities: unspent credits by kind of grant and by month of expiry."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from telecine_auditor.ledger.account import Grant
from telecine_auditor.ledger.replay import LedgerReplay

__all__ = ["Amounts", "LiabilityTable", "build_liability_table"]

NEVER = "never"


@dataclass(slots=True)
class Amounts:
    """Unspent credits: available, and held for running generations."""

    available: int = 0
    held: int = 0

    @property
    def unspent(self) -> int:
        """Available and held."""
        return self.available + self.held

    def columns(self) -> tuple[int, int, int]:
        """The cells of a row."""
        return self.available, self.held, self.unspent

    def add(self, grant: Grant) -> None:
        """Add what is left of a grant."""
        self.available += grant.available
        self.held += grant.held


@dataclass
class LiabilityTable:
    """Unspent credits in groups, whose last two names are kind and expiry (``never`` or ``2027-11``).

    `past`: those that have expired already and are not written off yet.
    """

    by_group: dict[tuple[str, ...], Amounts] = field(default_factory=dict)
    by_kind: dict[str, Amounts] = field(default_factory=dict)
    total: Amounts = field(default_factory=Amounts)
    past: Amounts = field(default_factory=Amounts)

    def groups(self) -> Iterator[tuple[tuple[str, ...], Amounts]]:
        """The groups, ordered by expiry; those that never expire come last."""
        yield from sorted(
            self.by_group.items(), key=lambda item: (item[0][:-1], item[0][-1] == NEVER, item[0][-1])
        )

    def kinds(self) -> Iterator[tuple[str, Amounts]]:
        """The kinds in alphabetical order."""
        yield from sorted(self.by_kind.items())

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "groups": [
                dict(zip(("account", "kind", "expires")[-len(group) :], group, strict=True))
                | _fields(amounts)
                for group, amounts in self.groups()
            ],
            "kinds": {kind: _fields(amounts) for kind, amounts in self.kinds()},
            "total": _fields(self.total),
            "past_their_time": _fields(self.past),
        }


def build_liability_table(replay: LedgerReplay, as_of: datetime, *, each_account: bool) -> LiabilityTable:
    """The unspent credits of all accounts, in groups of (account if `each_account`, kind, expiry)."""
    table = LiabilityTable()
    for name, account in replay.accounts.items():
        for grant in account.grants.values():
            if grant.available or grant.held:
                _count(table, (name,) if each_account else (), grant, as_of)
    return table


def _count(table: LiabilityTable, account: tuple[str, ...], grant: Grant, as_of: datetime) -> None:
    until = grant.usable_until
    group = (*account, grant.kind, f"{until.astimezone(UTC):%Y-%m}" if until else NEVER)
    table.by_group.setdefault(group, Amounts()).add(grant)
    table.by_kind.setdefault(grant.kind, Amounts()).add(grant)
    table.total.add(grant)
    if until is not None and until <= as_of:
        table.past.add(grant)


def _fields(amounts: Amounts) -> dict[str, int]:
    return asdict(amounts) | {"unspent": amounts.unspent}
