"""A service's database against the ledger, folded anew to the very sequence that the database has come to."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from telecine_auditor.ledger.reader import Walk
from telecine_auditor.sources.port import LEDGER, Source
from telecine_contracts.transparency import Frontier, leaf_hash

from .diff import Difference, RowCheck
from .expected_rows import CreditsFold, GatewayFold, ledger_entry_row
from .reader import Row, Tables, open_tables
from .schema import CREDITS, GATEWAY, TREE, Database

__all__ = ["Comparison", "OnDifference", "compare_credits", "compare_gateway"]

OnDifference = Callable[[Difference], None]


@dataclass
class Comparison:
    """One database beside the ledger. `rows`: how many of each table were found and compared."""

    database: Database
    tables: Tables
    source: Source
    on_difference: OnDifference
    walk: Walk
    rows: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def begin(
        cls, database: Database, tables: Tables, source: Source, on_difference: OnDifference
    ) -> "Comparison":
        """At the database's own checkpoint; one that the ledger has not come to is a difference by itself."""
        checkpoint, last = tables.checkpoint(), await source.last(LEDGER)
        if checkpoint > last:
            place = (database.projection,)
            on_difference(
                Difference(database.service, "checkpoint", place, "sequence", checkpoint, f"{last} at most")
            )
        return cls(database, tables, source, on_difference, Walk(source, sequence=min(checkpoint, last)))

    def check(self, name: str) -> RowCheck:
        """A check of one table."""
        table = self.database.table(name)
        return RowCheck(self.database.service, table, self.tables.rows(table), self.on_difference)

    def compare(self, expected: Mapping[str, Iterator[Row]], unsure: Callable[[str, Row], bool]) -> None:
        """Compare tables row by row; rows about which the ledger does not tell are `unsure`."""
        for name, rows in expected.items():
            check = self.check(name)
            for row in rows:
                if unsure(name, row):
                    check.allow(row[: self.database.table(name).keys])
                else:
                    check.expect(row)
            self.finish(name, check)

    def finish(self, name: str, check: RowCheck) -> None:
        """All rows of a table were given."""
        check.finish()
        self.rows[name] = check.compared

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"database": self.database.service, **self.walk.place(), "rows": self.rows}


async def compare_credits(url: str, source: Source, on_difference: OnDifference) -> Comparison:
    """Compare the tables of credits. Raises CommandError, SourceError."""
    with open_tables(url, CREDITS) as tables:
        found = await Comparison.begin(CREDITS, tables, source, on_difference)
        fold = CreditsFold()
        async for booked in found.walk.entries():
            fold.take(booked)
        found.compare(fold.rows(found.walk.books), lambda name, row: False)
        await _compare_tree(found)
        return found


async def compare_gateway(url: str, source: Source, on_difference: OnDifference) -> Comparison:
    """Compare the gateway's tables. Raises CommandError, SourceError."""
    with open_tables(url, GATEWAY) as tables, closing(GatewayFold()) as fold:
        found = await Comparison.begin(GATEWAY, tables, source, on_difference)
        entries = found.check("ledger_entry")
        async for booked in found.walk.entries():
            fold.take(booked)
            row = ledger_entry_row(booked)
            if row is None:
                entries.allow((booked.entry.sequence,))
            else:
                entries.expect(row)
        found.finish("ledger_entry", entries)
        found.compare(
            fold.rows(found.walk.books),
            lambda name, row: name == "credit_grant" and row[0] in fold.unattributed,
        )
        return found


async def _compare_tree(found: Comparison) -> None:
    """The tree that credits goes on from must be that of the stream's first entries."""
    trees = list(found.tables.rows(TREE))
    check = found.check(TREE.name)
    for log, size, _ in trees:
        check.expect((log, size, await _peaks(found.source, size)))
    found.finish(TREE.name, check)


async def _peaks(source: Source, size: int) -> bytes:
    frontier = Frontier()
    async for batch in source.batches(LEDGER, upto=min(size, await source.last(LEDGER))):
        for entry in batch:
            frontier.append(leaf_hash(entry.stated))
    return b"".join(frontier.peaks)
