"""The ledger in beancount's language, with a balance assertion after every day for each account that moved."""

from datetime import date, datetime, timedelta
from typing import TextIO

from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.timestamps import format_time

from .transactions import AVAILABLE, EXPIRED, HELD, ISSUED, SPENT, Opening, Side, Transaction

__all__ = ["BeancountWriter", "component"]

_HEAD = """\
;; The books of the ledger in beancount's language. Check them: bean-check THIS_FILE
;;
;; A transaction for every entry that moves credits, and after every day a balance for each account that moved, as its
;; last entry states it: beancount adds up by itself and refuses what is not true. Amounts have the sign that
;; account holders see. A name is written after "A-", with "-" as "--" and "_" as "-u", so that no two names become one.
;; Dates never go back; the metadata `time` is the entry's own. Percent signs encode what is not printable.

option "title" "Ledger of credits"
option "operating_currency" "CREDIT"
"""
_SHARED = {ISSUED: "Equity:Issued", SPENT: "Expenses:Spent", EXPIRED: "Expenses:Expired"}
_OWNED = {AVAILABLE: "Available", HELD: "Held"}
_DAY = timedelta(days=1)


def component(name: str) -> str:
    """An account's name as a component of a beancount account; another name always gives another component.

    Components have letters, digits and hyphens and begin with a capital: the hyphen is the escape.
    """
    return "A-" + name.replace("-", "--").replace("_", "-u")


class BeancountWriter:
    """Writes the books entry by entry; keeps the names of accounts and the balances of one day in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._opened: set[Side] = set()
        self._day: date | None = None
        self._stated: dict[Side, int] = {}
        file.write(_HEAD)

    def open_with(self, opening: Opening) -> None:
        """One transaction with all balances."""
        sides = [*opening.shared(), *opening.owned()]
        self._start_day(opening.booked)
        for side, _ in sides:
            self._open(side)
        self._begin(opening.booked, "opening", f"what was there after LEDGER#{opening.sequence}")
        for side, balance in sides:
            self._posting(side, balance)

    def take(self, transaction: Transaction) -> None:
        """One transaction; postings of several grants are summed, metadata list them."""
        self._start_day(transaction.booked)
        changes = transaction.changes()
        for side in changes:
            self._open(side)
        self._begin(transaction.booked, transaction.account, transaction.words)
        self._metadata(transaction)
        for side, amount in changes.items():
            self._posting(side, amount, transaction.grants(side))
            if (stated := transaction.stated(side)) is not None:
                self._stated[side] = stated

    def leave_out(self, sequence: int, why: str) -> None:
        """A comment in place of the transaction."""
        self._file.write(f"\n;; LEDGER#{sequence} cannot be booked: {why}\n")

    def close_with(self, closing: Opening) -> None:
        """The last day's balances, and those of the sides that all accounts share."""
        self._start_day(closing.booked + _DAY)
        self._file.write(f"\n;; The auditor's own sums after LEDGER#{closing.sequence}\n")
        for side, balance in closing.shared():
            if side in self._opened:
                self._balance(closing.booked.date() + _DAY, side, balance)

    def _start_day(self, booked: datetime) -> None:
        """Write the balances of the previous day, if it is over."""
        # A balance assertion holds at the start of its day: the balances of one day are dated the next.
        if self._day is not None and booked.date() > self._day:
            self._file.write("\n")
            for side, balance in self._stated.items():
                self._balance(self._day + _DAY, side, balance)
            self._stated.clear()
        self._day = booked.date()

    def _open(self, side: Side) -> None:
        if side not in self._opened:
            self._opened.add(side)
            self._file.write(f"\n{self._day} open {_account(side)} CREDIT\n")

    def _balance(self, day: date, side: Side, balance: int) -> None:
        self._file.write(f"{day} balance {_account(side)}  {balance} CREDIT\n")

    def _begin(self, booked: datetime, payee: str, words: str) -> None:
        self._file.write(f"\n{booked.date()} * {_string(payee)} {_string(words)}\n")

    def _metadata(self, transaction: Transaction) -> None:
        self._file.write(f"  sequence: {transaction.sequence}\n  entry: {transaction.entry}\n")
        texts = {
            "type": transaction.type,
            "time": format_time(transaction.time),
            "event": transaction.event_id,
            "generation": transaction.generation,
            "reference": transaction.reference,
            "reason": transaction.reason,
        }
        for name, value in texts.items():
            if value:
                self._file.write(f"  {name}: {_string(value)}\n")

    def _posting(self, side: Side, amount: int, grants: dict[int, int] | None = None) -> None:
        self._file.write(f"  {_account(side)}  {amount} CREDIT\n")
        if grants:
            listed = " ".join(f"{grant}={part}" for grant, part in grants.items())
            self._file.write(f'    grants: "{listed}"\n')


def _account(side: Side) -> str:
    if side.owner is None:
        return _SHARED[side.name]
    return f"Assets:Accounts:{component(side.owner)}:{_OWNED[side.name]}"


def _string(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
