"""Books as the auditor exports them, made in a test."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.support.audit.streams import StreamBuilder, november_streams

from telecine_auditor.cli import run
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_contracts.message import MAX_CREDITS
from telecine_credits.rules.commands import TimedCommand

__all__ = ["FALSE_BOOKS", "Change", "export_books", "with_the_largest_amount"]

Change = Callable[[StreamBuilder], None]


def _with_stated_balance(side: str) -> Change:
    return lambda streams: streams.change(13, lambda body: body["balances"].update({side: 471}))


def _with_wrong_balance(streams: StreamBuilder) -> None:
    def pay(body: dict[str, list[dict[str, int]]]) -> None:
        body["postings"][0]["amount"], body["postings"][1]["amount"] = -51, 51

    streams.change(13, pay)


def _with_missing_entry(streams: StreamBuilder) -> None:
    del streams.ledger[7]


FALSE_BOOKS: dict[str, Change] = {
    "a wrong available balance": _with_stated_balance("available"),
    "a wrong held balance": _with_stated_balance("held"),
    "another amount than the balances tell": _with_wrong_balance,
    "an entry that is missing": _with_missing_entry,
}
"""Edits that an attacker could make to the stream. The books must be refused for each of them."""


def with_the_largest_amount() -> StreamBuilder:
    """The story with the largest grant that there can be."""
    streams = november_streams()
    streams.do(
        TimedCommand(
            GrantCredits(
                account="rich",
                amount=MAX_CREDITS,
                kind=GrantKind.PAID,
                reference="all",
            ),
            datetime(2026, 12, 2, tzinfo=UTC),
        )
    )
    return streams


def export_books(streams: StreamBuilder, folder: Path, form: str, *arguments: str, code: int = 0) -> Path:
    """Export through the command line; `code`: the exit code that must come."""
    mirror, replay = folder / "mirror", folder / f"books.{form}"
    if not mirror.exists():
        streams.mirror(mirror)
    assert run(["export", "--format", form, "--out", str(replay), "--from", str(mirror), *arguments]) == code
    return replay
