"""Tables and the JSON document of a command."""

import json

import pytest

from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.tables import format_number, render_plain_table, render_table


def test_columns_are_as_wide_as_needed_and_numbers_right_aligned() -> None:
    rows = [("ann", 1234567, None), ("b", 5, "x")]
    assert render_table(("who", "credits", ""), rows) == [
        "who    credits",
        "---  ---------  -",
        "ann  1,234,567",
        "b            5  x",
    ]


def test_an_empty_table_has_a_header() -> None:
    assert render_table(("who", "credits"), []) == ["who  credits", "---  -------"]


def test_thousands_are_grouped() -> None:
    assert (format_number(0), format_number(-1234567)) == ("0", "-1,234,567")


def test_plain_tables_keep_numbers_and_sanitize_texts() -> None:
    rows = [("[bold]ann[/]", 1234567, "x\x1b[2J"), ("b", None, "%")]
    assert render_plain_table(("who", "credits", "what"), rows) == [
        "who           credits  what",
        "------------  -------  -------",
        "[bold]ann[/]  1234567  x%1B[2J",
        "b                      %25",
    ]


def test_long_values_are_neither_wrapped_nor_truncated() -> None:
    assert render_plain_table(("a", "b"), [("x" * 500, "y" * 500)])[2] == f"{'x' * 500}  {'y' * 500}"


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("show", {"a": "é"})
    assert json.loads(capsys.readouterr().out) == {"document": "telecine-audit show 1", "a": "é"}
