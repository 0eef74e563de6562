"""hledger itself confirms the books, and refuses those that are not true. Run by `make test-books`."""

import csv
import io
import os
import subprocess
from pathlib import Path

import pytest
from tests.support.audit.exports import FALSE_BOOKS, Change, export_books, with_the_largest_amount
from tests.support.audit.large_ledger import large_ledger
from tests.support.audit.streams import HOSTILE_TEXTS, StreamBuilder, november_streams

from telecine_auditor.terminal.sanitizer import one_line
from telecine_contracts.message import MAX_CREDITS


def hledger(replay: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["hledger", "-f", str(replay), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LANG": "C.UTF-8"},
    )


def balances(replay: Path) -> dict[str, int]:
    """Every account's balance as hledger has it."""
    done = hledger(replay, "balance", "--flat", "--empty", "-O", "csv", "--layout", "bare")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return {
        row["account"]: int(row["balance"]) for row in rows if not row["account"].lower().startswith("total")
    }


def confirmed(replay: Path) -> None:
    done = hledger(replay, "check", "--strict")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hledger_confirms_every_kind_of_entry(tmp_path: Path) -> None:
    replay = export_books(november_streams(), tmp_path, "hledger")
    confirmed(replay)
    assert balances(replay) == {
        "issued": -667,
        "accounts:ann:available": 470,
        "accounts:ann:held": 50,
        "accounts:bob:available": 30,
        "accounts:bob:held": 0,
        "accounts:mal_lory-:available": 7,
        "accounts:mal_lory-:held": 0,
        "spent": 100,
        "expired": 10,
    }


@pytest.mark.parametrize("planted", FALSE_BOOKS.values(), ids=FALSE_BOOKS)
def test_hledger_refuses_what_is_not_true(planted: Change, tmp_path: Path) -> None:
    streams = november_streams()
    planted(streams)
    done = hledger(export_books(streams, tmp_path, "hledger", code=1), "check", "--strict")
    assert done.returncode != 0
    assert "balance assertion" in done.stderr.lower()


def test_hledger_confirms_a_period_that_begins_in_the_middle(tmp_path: Path) -> None:
    replay = export_books(
        november_streams(), tmp_path, "hledger", "--since", "2026-11-12", "--to", "2026-11-20"
    )
    confirmed(replay)
    found = balances(replay)
    assert (found["accounts:ann:available"], found["accounts:ann:held"], found["issued"]) == (470, 50, -667)
    first = hledger(replay, "print", "--end", "2026-11-13")
    assert "(opening) what was there after LEDGER#6" in first.stdout
    assert "(1)" not in first.stdout


def test_hledger_confirms_books_in_which_nothing_happens(tmp_path: Path) -> None:
    confirmed(export_books(StreamBuilder(), tmp_path, "hledger"))
    empty = tmp_path / "empty"
    empty.mkdir()
    confirmed(
        export_books(november_streams(), empty, "hledger", "--since", "2026-11-21", "--to", "2026-11-22")
    )


def test_what_users_write_stays_what_it_is(tmp_path: Path) -> None:
    replay = export_books(november_streams(), tmp_path, "hledger")
    found = hledger(replay, "tags", "--values", "reason")
    assert one_line(HOSTILE_TEXTS, besides=",") in found.stdout.splitlines()
    assert "2020-01-01" not in hledger(replay, "register", "--end", "2021-01-01").stdout
    assert set(hledger(replay, "tags").stdout.split()) == {
        "sequence", "type", "time", "event", "generation", "reference", "reason", "grants",
    }  # fmt: skip


def test_amounts_are_exact_up_to_the_largest(tmp_path: Path) -> None:
    replay = export_books(with_the_largest_amount(), tmp_path, "hledger")
    confirmed(replay)
    assert balances(replay)["issued"] == -667 - MAX_CREDITS


def test_hledger_confirms_thousands_of_entries(tmp_path: Path) -> None:
    streams = StreamBuilder(ledger=list(large_ledger(3000, accounts=40)))
    replay = export_books(streams, tmp_path, "hledger")
    confirmed(replay)
    assert sum(balances(replay).values()) == 0
