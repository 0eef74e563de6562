"""Entries as transactions, and their lines for hledger, beancount and spreadsheets."""

import csv
import io
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.audit.streams import HOSTILE_TEXTS, StreamBuilder, november_streams, november_time

from telecine_auditor.exports.beancount import BeancountWriter, component
from telecine_auditor.exports.csv_writer import CsvWriter
from telecine_auditor.exports.hledger import HledgerWriter
from telecine_auditor.exports.transactions import Opening, Side, Transaction, to_transaction
from telecine_auditor.ledger.replay import LedgerReplay, ParsedEvent

names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
BOOKED = november_time(20)


def readings(streams: StreamBuilder) -> list[ParsedEvent]:
    replay = LedgerReplay(lambda breach: pytest.fail(str(breach)))
    return [reading for entry in streams.ledger if (reading := replay.take(entry)) is not None]


def booked(sequence: int) -> Transaction:
    found = to_transaction(readings(november_streams())[sequence - 1], "id", BOOKED)
    assert found is not None
    return found


def test_an_entry_of_several_grants_is_one_change_for_each_side() -> None:
    debit = booked(6)
    available, held = Side("available", "ann"), Side("held", "ann")
    assert debit.changes() == {available: -50, held: 50}
    assert debit.grants(held) == {2: 10, 1: 40}
    assert (debit.stated(available), debit.stated(held), debit.stated(Side("spent"))) == (460, 50, None)


def test_entries_that_move_nothing_are_not_transactions() -> None:
    still = [
        reading.action
        for reading in readings(november_streams())
        if to_transaction(reading, "id", BOOKED) is None
    ]
    assert still == ["closed", "limits_set", "denied", "reopened"]


@pytest.mark.parametrize(
    ("posting", "says"),
    [
        ({"account": "elsewhere", "amount": 1}, "'elsewhere' is not a side of the ledger"),
        ({"account": "a:b:available", "amount": 1}, "is not a side"),
        ({"account": "a b:available", "amount": 1}, "is not a side"),
        ({"account": "ann:pocket", "amount": 1}, "is not a side"),
        ({"account": "issued", "amount": 1.5}, "amount is not a whole number"),
        ({"account": "issued", "amount": True}, "amount is not a whole number"),
        ({"account": "issued", "amount": 1, "grant": "1"}, "grant is not a whole number"),
        ("issued", "is not an object"),
    ],
)
def test_unbookable_entries_are_reported(posting: Any, says: str) -> None:
    reading = readings(november_streams())[0]
    reading.body["postings"] = [posting]
    with pytest.raises(ValueError, match=says):
        to_transaction(reading, "id", BOOKED)


@given(names, names)
def test_different_names_give_different_components(one: str, other: str) -> None:
    assert (component(one) == component(other)) == (one == other)
    assert re.fullmatch(r"A-[A-Za-z0-9-]+", component(one))


@given(names)
def test_a_component_can_be_read_back(name: str) -> None:
    marks = re.sub("-([-u])", lambda found: {"-": "-", "u": "_"}[found[1]], component(name)[2:])
    assert marks == name


def hledger(*transactions: Transaction) -> str:
    file = io.StringIO()
    writer = HledgerWriter(file)
    for found in transactions:
        writer.take(found)
    return file.getvalue()


def test_hledger_asserts_both_balances_after_every_entry() -> None:
    assert """
2026-11-20 * (5) debited 50 credits for generation g2
    ; sequence:6
    ; type:credits.debited.v1
    ; time:2026-11-09T12:00:00Z
    ; event:id
    ; generation:g2
    accounts:ann:available  -50 CREDIT = 460 CREDIT  ; grants:2=-10 1=-40
    accounts:ann:held  50 CREDIT = 50 CREDIT  ; grants:2=10 1=40
""" in hledger(booked(6))


def test_user_texts_stay_on_their_line_in_hledger() -> None:
    lines = hledger(booked(10)).splitlines()
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("2020-01-01")] == []
    reason = next(line for line in lines if "reason:" in line)
    assert "," not in reason
    described = next(line for line in lines if "granted 7" in line)
    assert not set(";|") & set(described)


def beancount(transactions: list[Transaction], closing: Opening) -> list[str]:
    file = io.StringIO()
    writer = BeancountWriter(file)
    for found in transactions:
        writer.take(found)
    writer.close_with(closing)
    return file.getvalue().splitlines()


def test_beancount_asserts_balances_once_a_day() -> None:
    days = [november_time(1), november_time(1, 23), november_time(3)]
    found = [
        to_transaction(reading, "id", day)
        for reading, day in zip(readings(november_streams()), days, strict=False)
    ]
    replay = LedgerReplay(lambda breach: None)
    for entry in november_streams().ledger[:3]:
        replay.take(entry)
    lines = beancount([each for each in found if each is not None], Opening(replay, november_time(3)))
    assert [line for line in lines if " balance " in line and line[0] != ";"] == [
        "2026-11-02 balance Assets:Accounts:A-ann:Available  560 CREDIT",
        "2026-11-02 balance Assets:Accounts:A-ann:Held  0 CREDIT",
        "2026-11-04 balance Assets:Accounts:A-ann:Available  510 CREDIT",
        "2026-11-04 balance Assets:Accounts:A-ann:Held  50 CREDIT",
        "2026-11-04 balance Equity:Issued  -560 CREDIT",
    ]


def test_spreadsheet_cells_are_quoted_and_never_formulas() -> None:
    file = io.StringIO()
    CsvWriter(file).take(booked(10))
    head, *rows = list(csv.reader(io.StringIO(file.getvalue())))
    assert head[:3] == ["sequence", "booked", "time"]
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(row["side"], row["amount"]) for row in told] == [("issued", "-7"), ("mal_lory-:available", "7")]
    assert told[0]["reason"] == "'" + HOSTILE_TEXTS.replace("|'", "|''")
    assert '"mal_lory-"' in file.getvalue()


def test_an_account_name_that_starts_like_a_formula_is_escaped() -> None:
    streams = StreamBuilder()
    grant = next(entry for entry in november_streams().ledger)
    streams.ledger.append(
        grant._replace(
            subject="ledger.-1.granted",
            head=grant.head.replace(b"ledger.ann", b"ledger.-1"),
            body=grant.body.replace(b'"ann', b'"-1'),
        )
    )
    found = to_transaction(readings(streams)[0], "id", datetime.fromisoformat("2026-11-20T00:00:00Z"))
    assert found is not None
    file = io.StringIO()
    CsvWriter(file).take(found)
    assert '"\'-1"' in file.getvalue()
    assert '"\'-1:available"' in file.getvalue()
