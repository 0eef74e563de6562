"""Untrusted text is printed on one line, never computed by a spreadsheet, and can be restored."""

import json
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.audit.streams import HOSTILE_TEXTS, november_streams

from telecine_auditor.event_descriptions import describe_body
from telecine_auditor.terminal.sanitizer import (
    escape_spreadsheet_cell,
    one_line,
    printable_json,
    replace_surrogates,
)
from telecine_auditor.terminal.tables import render_plain_table
from telecine_contracts.descriptions import describe
from telecine_contracts.examples import EXAMPLES
from telecine_contracts.registry import encode

texts = st.text(st.characters(exclude_categories=[]))


@given(texts)
def test_one_line_is_printable_and_reversible(text: str) -> None:
    line = one_line(text, besides=",;")
    assert line.isprintable()
    assert not set(",;") & set(line)
    assert unquote(line, errors="surrogatepass") == text


@given(texts)
def test_printable_json_has_equal_values_and_no_control_characters(text: str) -> None:
    shown = printable_json({"reason": text})
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == {"reason": text}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\ta", "\ra", "  =1", "'=1", "＝1"])
def test_a_formula_is_escaped(text: str) -> None:
    assert escape_spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a;=1+1;b", "a;'=1+1;b"),
        ("\t=1", "'\t'=1"),
        ("a; =1|@x\t+1", "a;' =1|'@x\t'+1"),
        ('a"\n=1\r\n-1', "a\"\n'=1\r\n'-1"),
        ("a;＝1;'b", "a;'＝1;''b"),
        ("a, =1; b = 2 | c - d", "a, =1; b = 2 | c - d"),
    ],
)
def test_a_formula_after_a_cell_separator_is_escaped(text: str, shown: str) -> None:
    assert escape_spreadsheet_cell(text) == shown


@given((texts | st.text(";|\t\n' =-a")).map(replace_surrogates))
def test_escaped_cells_are_reversible(text: str) -> None:
    shown = escape_spreadsheet_cell(text)
    assert re.sub(r"(^|[;|\t\r\n])'", r"\1", shown) == text
    for cell in re.split(r"[;|\t\r\n]", shown):
        assert cell.strip()[:1] not in set("=+-@")


@given(texts)
def test_stored_text_is_valid_utf_8(text: str) -> None:
    replace_surrogates(text).encode()


def test_plain_tables_have_right_aligned_numbers() -> None:
    lines = render_plain_table(("account", "available"), [("ann", 1234567), ("b\nob", None), ("c", 8)])
    assert lines == [
        "account  available",
        "-------  ---------",
        "ann        1234567",
        "b%0Aob",
        "c                8",
    ]


def test_every_event_is_described() -> None:
    for event in EXAMPLES:
        assert describe_body(event.action, json.loads(encode(event))).startswith(describe(event))


def test_invalid_bodies_are_described_by_their_action() -> None:
    for event in EXAMPLES:
        assert describe_body(event.action, {}) == event.action.replace("_", " ")
        assert describe_body(event.action, dict.fromkeys(type(event).model_fields, "x"))
    assert describe_body("made_up", {"amount": 5}) == "made up"


def test_descriptions_contain_the_amounts() -> None:
    said = [
        describe_body(entry.subject.rpartition(".")[2], json.loads(entry.body))
        for entry in november_streams().ledger
    ]
    assert said[1] == "granted 60 credits (promotional, expires 2026-11-10T12:00:00.000Z), reference welcome"
    assert said[7] == "expired 10 credits of grant 2"
    assert said[8] == "adjusted entry 4 by 20 credits, reference ticket-1: black"
    assert said[10] == f"closed the account: {HOSTILE_TEXTS}"
    assert said[13] == (
        "denied (spend_limit): Spend limit reached: 60 credits per day (UTC) for the account, 50 used, "
        "50 needed for generation g4"
    )
