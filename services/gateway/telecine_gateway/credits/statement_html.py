"""A statement as a page to read and to print, on A4: plain HTML that loads nothing, a piece at a time. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from telecine_gateway.documentation.pages import content_security_policy
from telecine_gateway.read_model.entries import RunningBalance, Statement, StatementLine

from .statement import describe_change, describe_period

__all__ = ["CONTENT_SECURITY_POLICY", "begin", "end", "lines"]

_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
h1{font-size:1.6rem;margin:0 0 .3rem}p{margin:.2rem 0}
table{border-collapse:collapse;width:100%;margin-top:1.2rem;font-size:.92em}
th,td{padding:.35rem .5rem;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}
th{border-bottom:2px solid #888;vertical-align:bottom}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.t{white-space:nowrap}.b td{font-weight:600;border-bottom:2px solid #888}
.d{color:#555;font-size:.9em;overflow-wrap:anywhere}.q{color:#555}
tbody tr{break-inside:avoid}thead{display:table-header-group}
@page{size:A4;margin:16mm 12mm;@bottom-right{content:counter(page) " / " counter(pages);font:8pt sans-serif}}
@media print{body{font-size:9.5pt;max-width:none;margin:0;padding:0}th,td{padding:.3rem .3rem}.d{font-size:7.5pt}
.b:first-child{break-after:avoid}.b:last-child{break-before:avoid}}
"""
CONTENT_SECURITY_POLICY = content_security_policy(_STYLE)
_COLUMNS = (
    ("n", "Entry"),
    ("t", "Time (UTC)"),
    ("", "What happened"),
    ("n", "Available \N{PLUS-MINUS SIGN}"),
    ("n", "Held \N{PLUS-MINUS SIGN}"),
    ("n", "Available"),
    ("n", "Held"),
)


def begin(statement: Statement, now: datetime) -> bytes:
    """The head of the page, the account and the period, and the opening balance."""
    account, period = escape(statement.account), escape(describe_period(statement.period, now))
    title = f"Statement of {account}, {period}"
    head = "".join(f'<th class="{kind}">{name}</th>' for kind, name in _COLUMNS)
    made = f"Made {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC. All amounts are credits."
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><h1>Credit statement</h1>"
        f'<p>Account <b>{account}</b></p><p>Period: {period}</p><p class="q">{made}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{_balance('Opening balance', statement.opening)}"
    ).encode()


def lines(entries: Iterable[StatementLine]) -> bytes:
    """A row for every entry."""
    return "".join(map(_row, entries)).encode()


def end(statement: Statement) -> bytes:
    """The closing balance and the end of the page."""
    note = (
        "Held credits are reserved for videos that are being made. "
        "Entry numbers that are missing are requests that were denied: they moved nothing."
    )
    closing = _balance("Closing balance", statement.closing)
    return f'{closing}</tbody></table><p class="d">{note}</p></body></html>'.encode()


def _balance(name: str, mark: RunningBalance) -> str:
    then = f'<td class="n">{_whole(mark.available)}</td><td class="n">{_whole(mark.held)}</td>'
    return f'<tr class="b"><td></td><td></td><td>{name}</td><td></td><td></td>{then}</tr>'


def _row(line: StatementLine) -> str:
    time = f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    cells = (
        ("n", str(line.entry)),
        ("t", time),
        ("", _what(line)),
        ("n", _signed(line.amount)),
        ("n", _signed(line.held_amount)),
        ("n", _whole(line.available)),
        ("n", _whole(line.held)),
    )
    return "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in cells) + "</tr>"


def _what(line: StatementLine) -> str:
    # Isolated, so that a text written from right to left turns nothing around it.
    details = [text for text in (line.reference, line.reason, line.generation) if text]
    told = "".join(f'<div class="d"><bdi>{escape(text)}</bdi></div>' for text in details)
    return escape(describe_change(line)) + told


def _signed(amount: int) -> str:
    sign = "+" if amount > 0 else "\N{MINUS SIGN}"
    return f"{sign}{_whole(abs(amount))}" if amount else ""


def _whole(amount: int) -> str:
    return f"{amount:,}".replace(",", "\N{THIN SPACE}")
