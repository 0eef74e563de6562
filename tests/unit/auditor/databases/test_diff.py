"""The auditor's schema of the tables of credits is right, and every row that differs is found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from telecine_auditor.breaches import BreachKind
from telecine_auditor.databases import schema
from telecine_auditor.databases.diff import Difference, TableDiff
from telecine_auditor.databases.schema import Column, ColumnType, Table
from telecine_credits.read_model import projections, tables

_TYPES = {
    bool: ColumnType.BOOLEAN,
    bytes: ColumnType.BYTES,
    datetime: ColumnType.TIME,
    object: ColumnType.JSON,
    int: ColumnType.INTEGER,
    str: ColumnType.TEXT,
}


def type_of(column: Any) -> ColumnType:
    """What a column holds, without the wrapper that the service may put around its type."""
    return _TYPES[getattr(column.type, "impl_instance", column.type).python_type]


def test_the_auditor_knows_every_table_of_credits() -> None:
    declared = {name: table for name, table in tables.METADATA.tables.items() if name != "checkpoint"}
    assert schema.VERSION == tables.VERSION
    assert {table.name for table in schema.TABLES} == set(declared)
    for table in schema.TABLES:
        columns = {column.name: type_of(column) for column in declared[table.name].columns}
        assert {column.name: column.type for column in table.columns} == columns, table.name
        key = [column.name for column in declared[table.name].primary_key.columns]
        assert [column.name for column in table.key] == key, table.name


def test_the_auditor_knows_the_projection_that_follows_the_ledger() -> None:
    following = [known.name for known in projections.PROJECTIONS if known.stream.name == "LEDGER"]
    assert following == [schema.PROJECTION]


PAIR = Table("pair", 2, tuple(Column(name, ColumnType.INTEGER) for name in ("a", "b", "value", "other")))
pairs = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.tuples(st.integers(0, 2), st.integers(0, 2))
)


def differences_of(found: Sequence[tuple[Any, ...]], expected: Sequence[tuple[Any, ...]]) -> list[Difference]:
    differences: list[Difference] = []
    diff = TableDiff(PAIR, iter(found), differences.append)
    for row in expected:
        diff.expect(row)
    diff.finish()
    return differences


@given(pairs, pairs)
def test_every_difference_is_found_and_nothing_else(
    found: dict[tuple[int, int], tuple[int, int]], expected: dict[tuple[int, int], tuple[int, int]]
) -> None:
    told = differences_of(*([(*key, *rows[key]) for key in sorted(rows)] for rows in (found, expected)))
    assert {each.key for each in told if each.column is None and each.found is None} == set(expected) - set(
        found
    )
    assert {each.key for each in told if each.column is None and each.found} == set(found) - set(expected)
    values = {(each.key, each.column, each.found, each.expected) for each in told if each.column}
    assert values == {
        (key, name, found[key][at], expected[key][at])
        for key in set(found) & set(expected)
        for at, name in enumerate(("value", "other"))
        if found[key][at] != expected[key][at]
    }


def test_a_difference_is_a_breach_that_names_both_values() -> None:
    (difference,) = differences_of([(1, 2, 3, 4)], [(1, 2, 3, 5)])
    assert difference.breach().kind is BreachKind.DATABASE_DIFFERS
    assert str(difference.breach()) == "credits  database-differs  pair 1/2: other is 4, the ledger says 5"
    assert difference.as_json() == {
        "kind": "database-differs",
        "database": "credits",
        "table": "pair",
        "key": [1, 2],
        "column": "other",
        "found": 4,
        "expected": 5,
    }


def test_the_replacement_of_nul_on_postgres_is_no_difference() -> None:
    table = Table("note", 1, (Column("key", ColumnType.INTEGER), Column("text", ColumnType.TEXT)))
    differences: list[Difference] = []
    diff = TableDiff(table, iter([(1, "a\ufffdb"), (2, "a b")]), differences.append)
    diff.expect((1, "a\0b"))
    diff.expect((2, "a\0b"))
    assert [each.key for each in differences] == [(2,)]
