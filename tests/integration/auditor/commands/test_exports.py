"""Exported books: beancount itself confirms them, CSV says the same as the ledger."""

import csv
import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core import realization
from tests.support.audit.exports import FALSE_BOOKS, Change, export_books, with_the_largest_amount
from tests.support.audit.streams import HOSTILE_TEXTS, StreamBuilder, november_streams

from telecine_auditor.cli import run
from telecine_auditor.terminal.sanitizer import one_line
from telecine_contracts.message import MAX_CREDITS


def loaded(books: Path) -> tuple[list[Any], list[Any]]:
    """Entries and errors, as beancount finds them."""
    entries, errors, _ = loader.load_file(str(books))
    return entries, errors


def balances(entries: list[Any]) -> dict[str, Decimal]:
    """Every account's balance as beancount has it."""
    untyped: Any = realization
    leaves = untyped.iter_children(untyped.realize(entries), leaf_only=True)
    return {leaf.account: leaf.balance.get_currency_units("CREDIT").number for leaf in leaves}


def test_beancount_confirms_every_kind_of_entry(tmp_path: Path) -> None:
    entries, errors = loaded(export_books(november_streams(), tmp_path, "beancount"))
    assert errors == []
    assert balances(entries) == {
        "Equity:Issued": -667,
        "Assets:Accounts:A-ann:Available": 470,
        "Assets:Accounts:A-ann:Held": 50,
        "Assets:Accounts:A-bob:Available": 30,
        "Assets:Accounts:A-bob:Held": 0,
        "Assets:Accounts:A-mal-ulory--:Available": 7,
        "Assets:Accounts:A-mal-ulory--:Held": 0,
        "Expenses:Spent": 100,
        "Expenses:Expired": 10,
    }


def test_bean_check_agrees(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("bean-check")
    true = export_books(november_streams(), tmp_path, "beancount")
    done = subprocess.run([program, true], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    false = tmp_path / "false.beancount"
    false.write_text(true.read_text().replace("balance Equity:Issued  -667", "balance Equity:Issued  -666"))
    assert subprocess.run([program, false], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("planted", FALSE_BOOKS.values(), ids=FALSE_BOOKS)
def test_beancount_refuses_tampered_books(planted: Change, tmp_path: Path) -> None:
    streams = november_streams()
    planted(streams)
    _, errors = loaded(export_books(streams, tmp_path, "beancount", code=1))
    assert {type(error).__name__ for error in errors} == {"BalanceError"}


def test_beancount_confirms_a_period_after_the_first_entry(tmp_path: Path) -> None:
    books = export_books(
        november_streams(), tmp_path, "beancount", "--since", "2026-11-12", "--to", "2026-11-20"
    )
    entries, errors = loaded(books)
    assert errors == []
    assert balances(entries)["Assets:Accounts:A-ann:Available"] == 470
    opening = next(entry for entry in entries if type(entry).__name__ == "Transaction")
    assert (opening.payee, opening.narration) == ("opening", "what was there after LEDGER#6")


def test_beancount_confirms_empty_books(tmp_path: Path) -> None:
    assert loaded(export_books(StreamBuilder(), tmp_path, "beancount"))[1] == []


def test_hostile_texts_of_users_stay_texts_in_beancount(tmp_path: Path) -> None:
    entries, errors = loaded(export_books(november_streams(), tmp_path, "beancount"))
    assert errors == []
    (grant,) = [entry for entry in entries if entry.meta.get("reference", "").startswith("=cmd")]
    assert grant.meta["reason"] == grant.meta["reference"] == one_line(HOSTILE_TEXTS)
    assert (grant.payee, grant.meta["sequence"], grant.meta["entry"]) == ("mal_lory-", 10, 1)
    assert [str(posting.units) for posting in grant.postings] == ["7 CREDIT", "0 CREDIT", "-7 CREDIT"]


def test_amounts_are_exact_up_to_the_largest(tmp_path: Path) -> None:
    entries, errors = loaded(export_books(with_the_largest_amount(), tmp_path, "beancount"))
    assert errors == []
    assert balances(entries)["Equity:Issued"] == -667 - MAX_CREDITS


def legs(streams: StreamBuilder) -> list[tuple[int, str, int, int | None]]:
    """Every leg of the ledger: sequence, side, amount, grant."""
    return [
        (entry.sequence, leg["account"], leg["amount"], leg.get("grant"))
        for entry in streams.ledger
        for leg in json.loads(entry.body)["postings"]
    ]


def test_csv_has_a_row_for_every_posting(tmp_path: Path) -> None:
    streams = november_streams()
    with export_books(streams, tmp_path, "csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["sequence"]), r["side"], int(r["amount"]), int(r["grant"])) for r in rows] == legs(streams)
    guarded = "'" + HOSTILE_TEXTS.replace(
        "|'", "|''"
    )  # an apostrophe before each part that a spreadsheet would compute
    assert {row["reason"] for row in rows if row["account"] == "mal_lory-"} == {guarded}
    assert {row["time"] for row in rows if row["sequence"] == "16"} == {"2026-11-30T23:59:59.250000Z"}
    assert {row["booked"] for row in rows if row["sequence"] == "16"} == {"2026-11-30T23:59:59.500000Z"}


def test_rows_of_a_period_begin_with_the_opening_balances(tmp_path: Path) -> None:
    streams = november_streams()
    with export_books(streams, tmp_path, "csv", "--since", "2026-11-12").open(newline="") as file:
        rows = list(csv.DictReader(file))
    opening = {row["side"]: int(row["amount"]) for row in rows if row["type"] == "opening"}
    assert opening == {
        "issued": -660, "spent": 50, "ann:available": 460, "ann:held": 50, "bob:available": 100,
    }  # fmt: skip
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["side"]] += int(row["amount"])
    assert sums["issued"] == -667
    assert sums.total() == 0


def test_parquet_names_the_program_that_converts_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(["export", "--format", "parquet", "--out", str(tmp_path / "books"), "--from", str(tmp_path)]) == 2
    )
    assert """duckdb -c "COPY (SELECT * FROM 'x.csv') TO 'x.parquet'\"""" in capsys.readouterr().err


def test_an_unreadable_entry_is_left_out_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = november_streams()
    streams.ledger[12] = streams.ledger[12]._replace(body=b"{")
    books = export_books(streams, tmp_path, "hledger", code=1)
    assert "; LEDGER#13 cannot be booked: it cannot be read\n" in books.read_text()
    said = capsys.readouterr()
    assert "Entries that cannot be booked and were left out: 1\n" in said.out
    assert "LEDGER#13  unreadable" in said.err


def test_an_unwritable_file_is_an_error_and_leaves_no_partial_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = str(november_streams().mirror(tmp_path / "mirror"))
    nowhere = tmp_path / "nowhere" / "books"
    assert run(["export", "--format", "csv", "--out", str(nowhere), "--from", mirror]) == 2
    assert f"{nowhere} cannot be written: No such file" in capsys.readouterr().err
    (tmp_path / "old").write_text("old")
    assert run(["export", "--format", "csv", "--out", str(tmp_path / "old"), "--from", str(tmp_path)]) == 2
    assert (tmp_path / "old").read_text() == "old"
    assert list(tmp_path.glob("*.part")) == []


def test_the_export_is_described_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    books = export_books(november_streams(), tmp_path, "csv", "--json", "--since", "2026-11-12")
    assert json.loads(capsys.readouterr().out) == {
        "document": "telecine-audit export 1",
        "stream": "LEDGER",
        "sequence": 17,
        "booked": "2026-12-01T10:00:00Z",
        "breaches": 0,
        "not_checked": [
            "signed checkpoints and VIDEO: `telecine-audit verify` compares the ledger with them"
        ],
        "file": str(books),
        "format": "csv",
        "transactions": 7,
        "accounts": 3,
        "left_out": 0,
    }
