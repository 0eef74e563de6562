"""A statement as a page to read and to print, a batch of entries at a time. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from telecine_gateway.read_model.entries import Statement, StatementLine
from telecine_gateway.templates.environment import content_security_policy, template_environment

from .statement import describe_change, describe_period

__all__ = ["CONTENT_SECURITY_POLICY", "begin", "end", "lines"]


def begin(statement: Statement, now: datetime) -> bytes:
    """The start of the page, down to the opening balance."""
    return str(_PAGE.begin(statement, describe_period(statement.period, now), now)).lstrip().encode()


def lines(entries: Iterable[StatementLine]) -> bytes:
    """A row for each entry."""
    return str(_PAGE.lines(entries)).encode()


def end(statement: Statement) -> bytes:
    """The closing balance and the end of the page."""
    return str(_PAGE.end(statement)).encode()


def _utc(time: datetime, form: str) -> str:
    return time.astimezone(UTC).strftime(form)


def _amount(amount: int) -> str:
    return f"{amount:,}".replace(",", "\N{THIN SPACE}")


def _signed(amount: int) -> str:
    sign = "+" if amount > 0 else "\N{MINUS SIGN}"
    return f"{sign}{_amount(abs(amount))}" if amount else ""


_TEMPLATES = template_environment(
    {"amount": _amount, "describe_change": describe_change, "signed": _signed, "utc": _utc}
)
# Its attributes are the macros of the template.
_PAGE: Any = _TEMPLATES.get_template("statement.html").module
CONTENT_SECURITY_POLICY = content_security_policy(_TEMPLATES.get_template("statement.css").render())
