"""Statements as CSV and HTML are complete, exact, and safe for every text in references and reasons."""

import base64
import csv
import hashlib
import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from telecine_contracts import EVENTS
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.examples import example
from telecine_contracts.statement_csv import COLUMNS
from telecine_gateway.credits import statement_csv, statement_html
from telecine_gateway.credits.statement import describe_change, describe_period
from telecine_gateway.read_model.entries import (
    Period,
    RunningBalance,
    Statement,
    StatementLine,
    statement_line,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
STATEMENT = Statement("acme", NOVEMBER, RunningBalance(3, 100, 0), RunningBalance(5, 1_234_567, 50))
LEDGER = [event for event in EVENTS if issubclass(event, LedgerEvent)]
HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "  =1",
    "a;=1+1;b",
    "\r\n=1",
    "\uff1d1",
    'quote " and , comma',
    "two\r\nlines",
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "\u202eright to left",
    "&amp;&#60;",
    "nul \x00 byte",
]


def line(**changes: Any) -> StatementLine:
    values: dict[str, Any] = {
        "entry": 4,
        "at": NOW,
        "action": "granted",
        "amount": 50,
        "held_amount": 0,
        "available": 150,
        "held": 0,
        "generation": None,
        "reference": "pay_1",
        "reason": None,
        "data": {"kind": "paid"},
    }
    return StatementLine(**(values | changes))


def read(*parts: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(parts).decode(), newline="")))


def test_csv_has_a_header_both_balances_and_every_entry() -> None:
    debited = line(entry=5, action="debited", amount=-50, held_amount=50, generation="g-1", data={})
    text = (
        statement_csv.begin(STATEMENT) + statement_csv.lines([line(), debited]) + statement_csv.end(STATEMENT)
    )

    assert text.decode().splitlines()[0] == ",".join(COLUMNS)
    assert text.count(b"\r\n") == text.count(b"\n") == 5
    opening, first, second, closing = read(text)
    assert (opening["change"], opening["time"], opening["available"]) == (
        "opening",
        "2026-11-01T00:00:00.000Z",
        "100",
    )
    assert (first["entry"], first["available_change"], first["kind"]) == ("4", "50", "paid")
    assert (second["available_change"], second["held_change"], second["generation"]) == ("-50", "50", "g-1")
    assert (closing["change"], closing["available"], closing["held"]) == ("closing", "1234567", "50")


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_guards_formulas_and_keeps_one_row_per_entry(text: str) -> None:
    [row] = read(
        statement_csv.begin(STATEMENT).splitlines(keepends=True)[0],
        statement_csv.lines([line(reference=text, reason=text)]),
    )

    assert None not in row
    assert re.sub(r"(^|[;|\t\r\n])'", r"\1", row["reference"]) == text.replace(
        "\0", "\N{REPLACEMENT CHARACTER}"
    )
    assert row["reference"] == row["reason"]
    for cell in re.split(r"[;|\t\r\n]", row["reference"]):
        assert cell.lstrip()[:1] not in set("=+-@\uff1d\uff0b\uff0d\uff20")


class Page(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*lines: StatementLine) -> bytes:
    parts = (statement_html.begin(STATEMENT, NOW), statement_html.lines(lines), statement_html.end(STATEMENT))
    return b"".join(parts)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_escapes_every_text(text: str) -> None:
    plain, hostile = Page(page(line(reason="x"))), Page(page(line(reference=text, reason=text)))

    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert hostile.tags.count("bdi") == 2
    assert text.replace("\r\n", "\n").replace("\x00", "") in hostile.text.replace("\r\n", "\n").replace(
        "\x00", ""
    )


def test_html_shows_account_period_and_amounts() -> None:
    shown = Page(page(line(), line(entry=5, action="debited", amount=-1500, held_amount=1500, data={})))

    assert "Statement of acme, 1 November 2026 to 30 November 2026" in shown.text
    assert "Opening balance" in shown.text
    assert "1\N{THIN SPACE}234\N{THIN SPACE}567" in shown.text
    assert "\N{MINUS SIGN}1\N{THIN SPACE}500" in shown.text
    assert not {"script", "link", "img", "iframe", "form"} & set(shown.tags)
    assert not {"style", "onclick", "href", "src"} & shown.attributes


def test_the_content_security_policy_allows_the_style_of_the_page() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", page().decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in statement_html.CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("event", LEDGER, ids=lambda event: event.type)
def test_every_ledger_event_has_a_description(event: type[LedgerEvent]) -> None:
    known = example(event)
    assert isinstance(known, LedgerEvent)

    told = statement_line(known, NOW)

    assert describe_change(told) != told.action
    assert "None" not in describe_change(told)
    assert (told.available, told.held) == (known.balances.available, known.balances.held)


def test_descriptions_name_related_entries_and_limits() -> None:
    assert describe_change(line(action="adjusted", data={"corrects": 3})) == "Adjustment of entry 3"
    assert describe_change(line(action="expired", data={"grant": 1})) == "Expired, of grant 1"
    limits = {"apiKey": "key_1", "perDay": 5}
    assert (
        describe_change(line(action="limits_set", data=limits))
        == "Spend limits set: 5 credits a day for an API key"
    )
    assert describe_change(line(action="limits_set", data={})) == "Spend limits set: none for the account"


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        (None, None, "up to 23 November 2026 10:00 UTC"),
        (None, NOVEMBER.until, "up to 30 November 2026"),
        (NOVEMBER.since, NOVEMBER.until, "1 November 2026 to 30 November 2026"),
        (NOVEMBER.since, None, "1 November 2026 to 23 November 2026 10:00 UTC"),
        (NOVEMBER.since, datetime(2026, 11, 2, tzinfo=UTC), "1 November 2026"),
        (NOW, NOW + timedelta(hours=1), "23 November 2026 10:00 UTC to 23 November 2026 11:00 UTC"),
    ],
)
def test_periods_are_described_by_their_days_or_times(
    since: datetime | None, until: datetime | None, words: str
) -> None:
    assert describe_period(Period(since, until), NOW) == words
