"""What the auditor knows of the services' tables is so, and rows that differ are found, whatever they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import telecine_credits.read_model.projections
import telecine_credits.read_model.tables
import telecine_gateway.read_model.projections
import telecine_gateway.read_model.tables
from telecine_auditor.breaches import BreachKind
from telecine_auditor.databases.diff import Difference, RowCheck
from telecine_auditor.databases.schema import CREDITS, GATEWAY, Column, Database, Kind, Table

_SERVICES = ((CREDITS, telecine_credits), (GATEWAY, telecine_gateway))
_OF_OTHER_STREAMS = {"generation", "video_event", "api_key", "checkpoint"}
"""Tables that are not made of LEDGER."""
_KINDS = {
    bool: Kind.TRUTH,
    bytes: Kind.BYTES,
    datetime: Kind.TIME,
    object: Kind.JSON,
    int: Kind.WHOLE,
    str: Kind.TEXT,
}


def kind_of(column: Any) -> Kind:
    """What a column holds, whatever the service wraps its type in."""
    return _KINDS[getattr(column.type, "impl_instance", column.type).python_type]


@pytest.mark.parametrize(("known", "service"), _SERVICES, ids=["credits", "gateway"])
def test_the_auditor_knows_every_table_that_is_made_of_the_ledger(known: Database, service: Any) -> None:
    tables = {
        name: table
        for name, table in service.read_model.tables.METADATA.tables.items()
        if name not in _OF_OTHER_STREAMS
    }
    assert known.version == service.read_model.tables.VERSION
    assert {table.name for table in known.tables} == set(tables)
    for table in known.tables:
        columns = {column.name: kind_of(column) for column in tables[table.name].columns}
        assert {column.name: column.kind for column in table.columns} == columns, table.name
        key = [column.name for column in tables[table.name].primary_key.columns]
        assert [column.name for column in table.key] == key, table.name


@pytest.mark.parametrize(("known", "service"), _SERVICES, ids=["credits", "gateway"])
def test_the_auditor_knows_the_projection_that_follows_the_ledger(known: Database, service: Any) -> None:
    following = [p.name for p in service.read_model.projections.PROJECTIONS if p.stream.name == "LEDGER"]
    assert following == [known.projection]


PAIR = Table("pair", 2, tuple(Column(name, Kind.WHOLE) for name in ("a", "b", "value", "other")))
pairs = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.tuples(st.integers(0, 2), st.integers(0, 2))
)


def checked(found: Sequence[tuple[Any, ...]], expected: Sequence[tuple[Any, ...]]) -> list[Difference]:
    differences: list[Difference] = []
    check = RowCheck("gateway", PAIR, iter(found), differences.append)
    for row in expected:
        check.expect(row)
    check.finish()
    return differences


@given(pairs, pairs)
def test_every_difference_is_found_and_nothing_else(
    found: dict[tuple[int, int], tuple[int, int]], expected: dict[tuple[int, int], tuple[int, int]]
) -> None:
    told = checked(*([(*key, *rows[key]) for key in sorted(rows)] for rows in (found, expected)))
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


def test_a_row_of_which_the_ledger_does_not_tell_may_be_there_or_not() -> None:
    differences: list[Difference] = []
    check = RowCheck("gateway", PAIR, iter([(1, 1, 0, 0), (1, 3, 9, 9)]), differences.append)
    check.allow((1, 2))
    check.allow((1, 3))
    check.finish()
    assert [each.key for each in differences] == [(1, 1)]


def test_a_difference_is_a_breach_that_names_both_values() -> None:
    (difference,) = checked([(1, 2, 3, 4)], [(1, 2, 3, 5)])
    assert difference.breach().kind is BreachKind.DATABASE_DIFFERS
    assert str(difference.breach()) == "gateway  database-differs  pair 1/2: other is 4, the ledger says 5"
    assert difference.as_json() == {
        "kind": "database-differs",
        "database": "gateway",
        "table": "pair",
        "key": [1, 2],
        "column": "other",
        "found": 4,
        "expected": 5,
    }


def test_a_text_in_which_postgres_can_not_keep_a_character_is_the_same() -> None:
    table = Table("note", 1, (Column("key", Kind.WHOLE), Column("text", Kind.TEXT)))
    differences: list[Difference] = []
    check = RowCheck("gateway", table, iter([(1, "a\ufffdb"), (2, "a b")]), differences.append)
    check.expect((1, "a\0b"))
    check.expect((2, "a\0b"))
    assert [each.key for each in differences] == [(2,)]
