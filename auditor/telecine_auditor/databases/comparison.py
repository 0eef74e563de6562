"""Compares the tables of credits with the ledger, replayed to the very sequence that the tables have reached."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.sources.port import LEDGER, Source
from telecine_contracts.transparency import Frontier, leaf_hash

from .diff import Difference, TableDiff
from .expected_rows import ExpectedRows
from .reader import Row, TableReader, open_tables
from .schema import PROJECTION, SERVICE, TREE, Table

__all__ = ["Comparison", "OnDifference", "compare_tables"]

OnDifference = Callable[[Difference], None]


@dataclass
class Comparison:
    """What was compared: `reader` is the replay, `rows` how many rows of each table were found and compared."""

    reader: LedgerReader
    rows: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"database": SERVICE, **self.reader.place(), "rows": self.rows}


async def compare_tables(url: str, source: Source, on_difference: OnDifference) -> Comparison:
    """Compare the database at `url` with the ledger. Raises CommandError, SourceError."""
    with open_tables(url) as tables:
        position, last = tables.position(), await source.last(LEDGER)
        if position > last:
            place = (PROJECTION,)
            on_difference(Difference("checkpoint", place, "sequence", position, f"{last} at most"))
        comparison = Comparison(LedgerReader(source, sequence=min(position, last)))
        expected = ExpectedRows()
        async for booked in comparison.reader.entries():
            expected.take(booked)
        trees = iter([row async for row in _expected_trees(tables, source)])
        for table, rows in {**expected.by_table(comparison.reader.replay), TREE: trees}.items():
            comparison.rows[table.name] = _compare(tables, table, rows, on_difference)
        return comparison


def _compare(tables: TableReader, table: Table, expected: Iterator[Row], on_difference: OnDifference) -> int:
    diff = TableDiff(table, tables.rows(table), on_difference)
    for row in expected:
        diff.expect(row)
    diff.finish()
    return diff.compared


async def _expected_trees(tables: TableReader, source: Source) -> AsyncIterator[Row]:
    """The tree that credits continues from must be the tree over the stream's first `size` entries."""
    for log, size, _ in list(tables.rows(TREE)):
        yield log, size, await _peaks(source, size)


async def _peaks(source: Source, size: int) -> bytes:
    frontier = Frontier()
    async for batch in source.batches(LEDGER, upto=min(size, await source.last(LEDGER))):
        for entry in batch:
            frontier.append(leaf_hash(entry.stated))
    return b"".join(frontier.peaks)
