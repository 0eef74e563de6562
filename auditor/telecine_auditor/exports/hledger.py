"""The ledger as an hledger journal in which every entry asserts the balances that it states."""

from collections.abc import Iterator
from datetime import datetime
from typing import TextIO

from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.timestamps import format_time

from .transactions import Opening, Side, Transaction

__all__ = ["HledgerWriter"]

_HEAD = """\
; The books of the ledger in hledger's journal format. Check them: hledger -f THIS_FILE check --strict
;
; A transaction for every entry that moves credits. `= N CREDIT` asserts the balance that the entry itself states:
; hledger adds up by itself and refuses the first entry that is not true. It does so in the order of dates, therefore
; they never go back; the tag `time` is the entry's own. Percent signs encode what would have a meaning here.

decimal-mark .
commodity 1. CREDIT
account issued
account spent
account expired
"""


class HledgerWriter:
    """Writes a journal entry by entry; keeps only the names of accounts in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._declared: set[str] = set()
        file.write(_HEAD)

    def open_with(self, opening: Opening) -> None:
        """One transaction with all balances, asserted."""
        sides = [*opening.shared(), *opening.owned()]
        self._declare(owner for side, _ in sides if (owner := side.owner))
        self._begin(opening.booked, "opening", f"what was there after LEDGER#{opening.sequence}")
        for side, balance in sides:
            self._posting(side, balance, balance)

    def take(self, transaction: Transaction) -> None:
        """One transaction; postings of several grants are summed, a comment lists them."""
        changes = transaction.changes()
        self._declare(owner for side in changes if (owner := side.owner))
        self._begin(transaction.booked, str(transaction.entry), transaction.words)
        for name, value in _tags(transaction):
            self._file.write(f"    ; {name}:{_tag_value(value)}\n")
        for side, amount in changes.items():
            self._posting(side, amount, transaction.stated(side), transaction.grants(side))

    def leave_out(self, sequence: int, why: str) -> None:
        """A comment in place of the transaction."""
        self._file.write(f"\n; LEDGER#{sequence} cannot be booked: {why}\n")

    def close_with(self, closing: Opening) -> None:
        """A transaction that moves nothing and asserts the sides that all accounts share."""
        self._begin(
            closing.booked, "closing", f"what the auditor's own sums are after LEDGER#{closing.sequence}"
        )
        for side, balance in closing.shared():
            self._posting(side, 0, balance)

    def _begin(self, booked: datetime, code: str, words: str) -> None:
        # A semicolon begins a comment, a bar separates the payee from a note.
        self._file.write(f"\n{booked.date()} * ({code}) {one_line(words, besides=';|')}\n")

    def _posting(
        self, side: Side, amount: int, stated: int | None, grants: dict[int, int] | None = None
    ) -> None:
        assertion = f" = {stated} CREDIT" if stated is not None else ""
        listed = (
            "  ; grants:" + " ".join(f"{grant}={part}" for grant, part in grants.items()) if grants else ""
        )
        self._file.write(f"    {_account(side)}  {amount} CREDIT{assertion}{listed}\n")

    def _declare(self, owners: Iterator[str]) -> None:
        for owner in owners:
            if owner not in self._declared:
                self._declared.add(owner)
                self._file.write(f"\naccount accounts:{owner}:available\naccount accounts:{owner}:held\n")


def _account(side: Side) -> str:
    return side.name if side.owner is None else f"accounts:{side.owner}:{side.name}"


def _tags(transaction: Transaction) -> Iterator[tuple[str, str]]:
    yield "sequence", str(transaction.sequence)
    yield "type", transaction.type
    yield "time", format_time(transaction.time)
    yield "event", transaction.event_id
    for name in ("generation", "reference", "reason"):
        value = getattr(transaction, name)
        if value:
            yield name, value


def _tag_value(value: str) -> str:
    return one_line(value, besides=",")  # a comma ends a tag
