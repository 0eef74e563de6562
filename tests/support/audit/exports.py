"""Books as the auditor exports them, made in a test."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.support.audit.streams import Streams, november

from telecine_auditor.cli import run
from telecine_contracts.credits import GrantKind
from telecine_contracts.message import MAX_CREDITS
from telecine_credits.rules.decider import Grant

__all__ = ["PLANTED", "Change", "exported", "with_the_largest_amount"]

Change = Callable[[Streams], None]


def _stated(side: str) -> Change:
    return lambda streams: streams.change(13, lambda body: body["balances"].update({side: 471}))


def _more_than_stated(streams: Streams) -> None:
    def pay(body: dict[str, list[dict[str, int]]]) -> None:
        body["postings"][0]["amount"], body["postings"][1]["amount"] = -51, 51

    streams.change(13, pay)


def _left_out(streams: Streams) -> None:
    del streams.ledger[7]


PLANTED: dict[str, Change] = {
    "a wrong available balance": _stated("available"),
    "a wrong held balance": _stated("held"),
    "another amount than the balances tell": _more_than_stated,
    "an entry that is missing": _left_out,
}
"""What somebody who edits the stream could do. The books must be refused for each of them."""


def with_the_largest_amount() -> Streams:
    """The story with the largest grant that there can be."""
    streams = november()
    streams.do(
        Grant(
            account="rich",
            at=datetime(2026, 12, 2, tzinfo=UTC),
            amount=MAX_CREDITS,
            kind=GrantKind.PAID,
            reference="all",
        )
    )
    return streams


def exported(streams: Streams, folder: Path, form: str, *arguments: str, code: int = 0) -> Path:
    """Export through the command line; `code`: the exit code that must come."""
    mirror, books = folder / "mirror", folder / f"books.{form}"
    if not mirror.exists():
        streams.mirror(mirror)
    assert run(["export", "--format", form, "--out", str(books), "--from", str(mirror), *arguments]) == code
    return books
