"""The rows that the tables of credits must have, replayed from the ledger."""

from collections.abc import Iterator

from telecine_auditor.ledger.account import Grant
from telecine_auditor.ledger.reader import BookedEntry
from telecine_auditor.ledger.replay import LedgerReplay

from .reader import Row
from .schema import ACCOUNT, GRANT, HOLD, Table

__all__ = ["ExpectedRows"]


class ExpectedRows:
    """All values come from the replayed accounts, except the sequence of each account's last entry."""

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}

    def take(self, booked: BookedEntry) -> None:
        """The next entry."""
        if booked.parsed is not None:
            self._sequences[booked.parsed.account] = booked.entry.sequence

    def by_table(self, replay: LedgerReplay) -> dict[Table, Iterator[Row]]:
        """The rows of each table, in the order of its primary key."""
        accounts = [item for item in sorted(replay.accounts.items()) if item[0] in self._sequences]
        return {
            ACCOUNT: (
                (name, book.entry, book.available, book.held, book.closed, self._sequences[name])
                for name, book in accounts
            ),
            GRANT: (
                (name, number, *_grant_columns(grant))
                for name, book in accounts
                for number, grant in sorted(book.grants.items())
            ),
            HOLD: (
                (name, generation, hold.amount, [list(part) for part in hold.parts], hold.since)
                for name, book in accounts
                for generation, hold in sorted(book.holds.items())
            ),
        }


def _grant_columns(grant: Grant) -> Row:
    amounts = (grant.amount, grant.available, grant.held, grant.spent, grant.expired, grant.taken_back)
    return (grant.kind, grant.reference, *amounts, grant.granted_at, grant.expires_at, grant.usable_until)
