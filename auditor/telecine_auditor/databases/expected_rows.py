"""The rows that services' tables must have, folded anew from the ledger."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from telecine_auditor.ledger.account import GrantBook
from telecine_auditor.ledger.reader import Booked
from telecine_auditor.ledger.replay import Books, Reading

from .reader import Row

__all__ = ["CreditsFold", "GatewayFold", "ledger_entry_row"]

_SCHEMA = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
CREATE TABLE charge (
    generation TEXT PRIMARY KEY, account TEXT, state TEXT, amount INTEGER, available INTEGER, reason TEXT, bound TEXT
) WITHOUT ROWID;
CREATE TABLE granted (account TEXT, number INTEGER, reason TEXT, PRIMARY KEY (account, number)) WITHOUT ROWID;
BEGIN;
"""


class CreditsFold:
    """The tables of credits: all from the books, but for the place of each account's last entry."""

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}

    def take(self, booked: Booked) -> None:
        """The next entry."""
        if booked.reading is not None:
            self._sequences[booked.reading.account] = booked.entry.sequence

    def rows(self, books: Books) -> dict[str, Iterator[Row]]:
        """What must be in each table."""
        accounts = [item for item in sorted(books.accounts.items()) if item[0] in self._sequences]
        return {
            "account": (
                (name, book.entry, book.available, book.held, book.closed, self._sequences[name])
                for name, book in accounts
            ),
            "ledger_grant": (
                (name, number, grant.kind, grant.reference, *_sides(grant))
                for name, book in accounts
                for number, grant in sorted(book.grants.items())
            ),
            "hold": (
                (name, generation, hold.amount, [list(part) for part in hold.parts], hold.since)
                for name, book in accounts
                for generation, hold in sorted(book.holds.items())
            ),
        }


class GatewayFold:
    """The tables of the gateway. What the books do not keep (texts, what was denied) waits in a file on disk."""

    def __init__(self) -> None:
        self._kept = sqlite3.connect("", isolation_level=None)  # no name: a file that nobody else sees
        self._kept.executescript(_SCHEMA)
        self._booked: dict[str, datetime] = {}
        self.unattributed: set[str] = set()
        """Accounts with an entry that moved credits and does not say of which grant."""

    def close(self) -> None:
        """Let the file go."""
        self._kept.close()

    def take(self, booked: Booked) -> None:
        """The next entry."""
        reading = booked.reading
        if reading is None:
            return
        body = reading.body
        self._booked[reading.account] = booked.at
        if reading.action == "granted":
            values = (reading.account, reading.number, body["reason"])
            self._kept.execute("INSERT OR REPLACE INTO granted VALUES (?, ?, ?)", values)
        elif any(posting.get("grant") is None for posting in body["postings"]):
            self.unattributed.add(reading.account)
        self._charge(reading)

    def _charge(self, reading: Reading) -> None:
        body = reading.body
        if reading.action in ("debited", "denied"):
            debited = reading.action == "debited"
            amounts = (
                (body["amount"], body["balances"]["available"])
                if debited
                else (body["needed"], body["available"])
            )
            reason = None if debited else body["reason"]
            limit = json.dumps(body["limit"]) if body.get("limit") else None
            values = (body["generation"], reading.account, reading.action, *amounts, reason, limit)
            self._kept.execute("INSERT OR REPLACE INTO charge VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        elif reading.action in ("settled", "refunded"):
            ending = (reading.action, body["generation"])
            self._kept.execute("UPDATE charge SET state = ? WHERE generation = ?", ending)

    def rows(self, books: Books) -> dict[str, Iterator[Row]]:
        """What must be in each table but `ledger_entry`."""
        accounts = [item for item in sorted(books.accounts.items()) if item[0] in self._booked]
        return {
            "balance": (
                (
                    name,
                    book.entry,
                    book.available,
                    book.held,
                    self._booked[name],
                    book.closed,
                    self._attributed(name),
                )
                for name, book in accounts
            ),
            "credit_grant": (
                (name, number, grant.kind, grant.reference, *self._granted(name, grant))
                for name, book in accounts
                for number, grant in sorted(book.grants.items())
            ),
            "spend_limit": (
                (name, key, limits.per_day, limits.per_generation)
                for name, book in accounts
                for key, limits in sorted((key or "", limits) for key, limits in book.limits.items())
            ),
            "charge": self._charges(),
        }

    def _attributed(self, account: str) -> bool:
        return account not in self.unattributed

    def _granted(self, account: str, grant: GrantBook) -> Row:
        query = "SELECT reason FROM granted WHERE account = ? AND number = ?"
        (reason,) = self._kept.execute(query, (account, grant.number)).fetchone() or (None,)
        # When it was decided, not when it was booked: a clock that ran behind sets the former alone.
        return (reason, *_sides(grant))

    def _charges(self) -> Iterator[Row]:
        for *values, limit in self._kept.execute("SELECT * FROM charge ORDER BY generation"):
            yield (*values, None if limit is None else json.loads(limit))


def ledger_entry_row(booked: Booked) -> Row | None:
    """The gateway's row of one entry; None for one that could not be read."""
    entry, reading, at = booked
    if reading is None:
        return None
    body = reading.body
    return (
        entry.sequence,
        reading.account,
        reading.number,
        reading.type,
        reading.action,
        datetime.fromisoformat(unquote(entry.header("ce-time") or "")).astimezone(UTC),
        at,
        body.get("generation"),
        _moved(reading, "available"),
        _moved(reading, "held"),
        body["balances"]["available"],
        body["balances"]["held"],
        body.get("reason") or None,
        body.get("reference") or None,
        _differences_of(body),
    )


def _moved(reading: Reading, side: str) -> int:
    name = f"{reading.account}:{side}"
    return sum(posting["amount"] for posting in reading.body["postings"] if posting["account"] == name)


def _differences_of(body: dict[str, Any]) -> Callable[[Any], Iterator[tuple[str, Any, Any]]]:
    """`data` holds what the gateway shows of the event, under the API's names: it may leave out, and add nothing."""
    known = {_camel(name): value for name, value in body.items()}

    def differences(data: Any) -> Iterator[tuple[str, Any, Any]]:
        if not isinstance(data, dict):
            yield "", data, "an object"
            return
        for name, value in data.items():
            if value != known.get(name):
                yield name, value, known.get(name)

    return differences


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _sides(grant: GrantBook) -> Row:
    whole = (grant.amount, grant.available, grant.held, grant.spent, grant.expired, grant.taken_back)
    return (*whole, grant.granted_at, grant.expires_at, grant.usable_until)
