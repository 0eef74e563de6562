"""The books: every entry of the ledger checked and applied, one after the other."""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.rules.closing_checks import EXPIRY_DELAY, overdue
from telecine_auditor.ledger.rules.cross_account_checks import differing_prices, shared_generations
from telecine_auditor.ledger.rules.registry import RULES, TYPES, Route, ident_of
from telecine_auditor.sources.message import CanonicalHeaders, StoredMessage, parse_canonical_headers

from .account import AccountBook, ExpiryBook, ForeignMessage, GrantBook, HoldBook, Limits, Parts
from .canonical_form import difference_of
from .clock_skew import Clocks
from .event_parser import ACTIONS, Reading, read_body
from .events import Balances
from .header_parser import Unreadable, read_with_care, shown

__all__ = ["AccountBook", "Books", "ExpiryBook", "GrantBook", "HoldBook", "Limits", "Parts", "Reading"]

Before = tuple[int, bool, bool, int]
"""An account's entry number, whether it is doubtful and adrift, and its unread entries."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WRITER = b"telecine/credits"
_MOVED_OTHERWISE = frozenset(
    {
        BreachKind.SUM_NOT_ZERO,
        BreachKind.WRONG_POSTINGS,
        BreachKind.ENTRY_GAP,
        BreachKind.OUT_OF_ORDER,
        BreachKind.NEGATIVE_BALANCE,
        BreachKind.ENDED_TWICE,
        BreachKind.SETTLED_AND_REFUNDED,
        BreachKind.END_WITHOUT_DEBIT,
    }
)
"""An entry with one of these moved something else than it should: that its balances are off is the same breach."""


class Books:
    """All accounts as the entries taken so far make them; what must not be goes to `on_breach`.

    `entries` counts what was taken, `sequence` is the last one's, `unattributed` counts entries that moved credits
    before entries named grants; `named` says that they do by now, in some account. `first_at` and `last_at` are the
    earliest and latest times of a decision. `forms`, where it is a list, gets the sequence of every entry that is not
    written as credits writes it, and in which way. `skipped` are messages that are not entries and that a decision on
    the ledger passes over: a sentence for each, by sequence.
    """

    def __init__(self, on_breach: Callable[[Breach], None], clocks: Clocks | None = None) -> None:
        self.accounts: dict[str, AccountBook] = {}
        self.entries = 0
        self.sequence = 0
        self.unattributed = 0
        self.named = False
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.clocks = clocks or Clocks()
        self.forms: list[tuple[int, str]] | None = None
        self.skipped: dict[int, str] = {}
        self._on_breach = on_breach
        self._routes: dict[str, Route] = {}
        self._ids: set[bytes] = set()
        self._about: str | None = None
        self._found: list[BreachKind] = []

    @property
    def issued(self) -> int:
        """Credits granted and not taken back: available, held, spent and expired together."""
        return sum(account.issued for account in self.accounts.values())

    @property
    def available(self) -> int:
        """Credits that accounts are free to spend."""
        return sum(account.available for account in self.accounts.values())

    @property
    def held(self) -> int:
        """Credits reserved for running generations."""
        return sum(account.held for account in self.accounts.values())

    @property
    def spent(self) -> int:
        """Credits settled and not given back."""
        return sum(account.spent for account in self.accounts.values())

    @property
    def expired(self) -> int:
        """Credits expired and not given back."""
        return sum(account.expired for account in self.accounts.values())

    def take_all(self, entries: Sequence[StoredMessage], heads: Sequence[CanonicalHeaders | None]) -> None:
        """Check the next entries and apply them. `heads` are their headers as `parse_canonical_headers` reads them."""
        take = self._take
        for entry, head in zip(entries, heads, strict=True):
            take(entry, head)

    def take(self, entry: StoredMessage) -> Reading | None:
        """Check the next entry and apply it. None: it could not be read, or is a copy (and that is a breach)."""
        return self._take(entry, parse_canonical_headers(entry.head))

    def _take(self, entry: StoredMessage, head: CanonicalHeaders | None) -> Reading | None:
        sequence, stored_at, subject, _, _ = entry
        self.entries += 1
        self._about = None
        if self._found:
            self._found = []
        if sequence != self.sequence + 1:
            self._out_of_sequence(sequence)
        self.sequence = sequence
        try:
            route = self._routes.get(subject) or self._new_route(entry)
            book = route.book
            self._about = book.name
            ident, source = ident_of(entry, head, route)
            reading = read_body(entry, book.name, route.known)
        except Unreadable as problem:
            self._keep_foreign(entry, problem)
            self._unreadable(problem, numbered=False)
            return None
        ids = self._ids
        known = len(ids)
        ids.add(ident)
        if len(ids) == known and self._is_copy(book, reading, ident):
            return None
        before = _before(book) if reading.problem is not None else None
        if reading.action == "skipped":
            self._pass_over(book, reading)
        elif book.foreign:
            # Credits decides nothing behind a foreign message: what stands before an entry was one itself.
            book.foreign.clear()
        if reading.number == book.entry + 1:
            book.entry = reading.number
        else:
            self._out_of_order(book, reading.number)
        if source != _WRITER:
            self.found(BreachKind.FOREIGN_SOURCE, f"says that {shown(source.decode())} wrote it")
        if reading.problem is not None:
            self._keep_foreign(entry, reading.problem, before)
            self._unreadable(reading.problem, numbered=True)
            return None
        route.rule(self, book, reading)
        if not reading.canonical:
            self._note_form(entry)
        at = reading.decided_at
        if self.last_at is None or at > self.last_at:
            self.last_at = at
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if book.named and not self.named:
            self.named = True
        if not reading.dated and self.named:
            self.found(BreachKind.UNREADABLE, "decided_at is missing")
        balances = reading.event.balances
        off = balances.available - book.available, balances.held - book.held
        if off != book.drift or book.adrift:
            self._balances_are_off(book, balances, off)
        clocks = self.clocks
        if not clocks.begin <= stored_at < clocks.end:
            clocks.turn(stored_at)
        if not clocks.earliest <= at <= clocks.latest:
            self._judge_time(book, stored_at, at)
        return reading

    def know(self, entries: Sequence[StoredMessage], heads: Sequence[CanonicalHeaders | None]) -> None:
        """Entries that a saved audit has taken already: none of their ids may come again."""
        for entry, head in zip(entries, heads, strict=True):
            ident = head[1] if head is not None else (entry.header("ce-id") or "").encode()
            self._ids.add(ident)

    def finish(self, now: datetime, hold_limit: timedelta, expiry_delay: timedelta = EXPIRY_DELAY) -> None:
        """Check what can only be seen at the end: what is overdue, and what accounts have in common."""
        books = self.accounts.values()
        late = overdue(books, now, hold_limit, expiry_delay)
        for found in (late, shared_generations(books), differing_prices(books)):
            for breach in found:
                self._on_breach(breach)

    def found(self, kind: BreachKind, says: str, generation: str | None = None) -> None:
        """The entry that is being taken is a breach."""
        self._found.append(kind)
        self._on_breach(
            Breach(kind, says, sequence=self.sequence, account=self._about, generation=generation)
        )

    def _out_of_sequence(self, sequence: int) -> None:
        before, self.sequence = self.sequence, sequence
        if sequence <= before:
            self.found(BreachKind.SEQUENCE_GAP, f"comes behind sequence {before}")
        else:
            missing = f"{before + 1} to {sequence - 1}" if sequence > before + 2 else str(before + 1)
            self.found(BreachKind.SEQUENCE_GAP, f"sequence {missing} of the stream is missing")

    def _new_route(self, entry: StoredMessage) -> Route:
        """Raises Unreadable for a subject that no entry can have."""
        prefix, _, rest = entry.subject.partition(".")
        account, _, action = rest.partition(".")
        if prefix != "ledger" or not _NAME.fullmatch(account):
            raise Unreadable(f"subject {shown(entry.subject)} is not of the ledger", BreachKind.WRONG_SUBJECT)
        book = self.accounts.get(account)
        if book is None:
            book = self.accounts[account] = AccountBook(account)
        if action not in ACTIONS:
            self._about = account
            read_with_care(entry, (), TYPES)
            raise Unreadable(f"no event is called {shown(action)}", BreachKind.UNKNOWN_EVENT)
        known = ACTIONS[action]
        names = known.types[0].encode(), entry.subject.encode()
        route = Route(book, known, RULES[action], *names)
        self._routes[entry.subject] = route
        return route

    def _is_copy(self, book: AccountBook, reading: Reading, ident: bytes) -> bool:
        """Whether an entry with an id that was there before is nothing but that entry again."""
        self.found(BreachKind.REPEATED_ID, f"id {shown(ident.decode('latin-1'))} was there before")
        return reading.number <= book.entry

    def _out_of_order(self, book: AccountBook, number: int) -> None:
        missing = number - book.entry - 1
        if missing < 0:
            says = f"is entry {number} of its account, after entry {book.entry}"
            self.found(BreachKind.OUT_OF_ORDER, says)
            return
        if missing > book.unread:
            says = f"is entry {number} of its account, after entry {book.entry}: {missing} missing"
            self.found(BreachKind.ENTRY_GAP, says)
        book.unread = max(0, book.unread - missing)
        book.doubtful = True
        book.entry = number

    def _unreadable(self, problem: Unreadable, *, numbered: bool) -> None:
        """What the entry moved is not known: what follows in its account is judged with that in mind."""
        self.found(problem.kind, str(problem))
        for name in {self._about, problem.account}:
            book = self.accounts.get(name) if name is not None else None
            if book is not None:
                book.doubtful = book.adrift = True
                book.unread += not numbered

    def _keep_foreign(self, entry: StoredMessage, problem: Unreadable, before: Before | None = None) -> None:
        """Remember what a decision may skip later, and how the account was before it."""
        book = self.accounts.get(self._about) if self._about is not None else None
        if book is None or problem.account not in (None, book.name):
            return  # what names another account may be an entry of that one
        number, doubtful, adrift, unread = before or _before(book)
        if book.foreign:
            first = next(iter(book.foreign.values()))
            doubtful, adrift, unread = first.doubtful, first.adrift, first.unread
        book.foreign[entry.sequence] = ForeignMessage(
            problem=str(problem),
            sha256=hashlib.sha256(entry.body).hexdigest(),
            entry=number,
            taken=book.entry if book.entry != number else 0,
            doubtful=doubtful,
            adrift=adrift,
            unread=unread,
        )

    def _pass_over(self, book: AccountBook, reading: Reading) -> None:
        """A decision says that a message means nothing: if it is not an entry, the account is as it was before it."""
        sequence, digest = reading.body["skips"], reading.body["sha256"]
        message = book.foreign.get(sequence)
        if message is None or message.sha256 != digest:
            says = "is not a foreign message of this account" if message is None else "has another body"
            self.found(BreachKind.WRONG_SKIP, f"skips LEDGER#{sequence}, which {says}")
            return
        for other in reversed(book.foreign.values()):
            if other.taken and other.taken == book.entry:
                book.entry = other.entry
        del book.foreign[sequence]
        if not book.foreign:
            book.doubtful, book.adrift, book.unread = message.doubtful, message.adrift, message.unread
        self.skipped[sequence] = (
            f"LEDGER#{sequence} on the ledger of {book.name} is not an entry ({message.problem}) and is skipped by the "
            f"decision LEDGER#{reading.sequence}: {shown(reading.body['reason'])}"
        )

    def _judge_time(self, book: AccountBook, stored_at: int, at: datetime) -> None:
        if (says := self.clocks.judge(book, stored_at, at)) is not None:
            self.found(BreachKind.WRONG_TIME, says)

    def _note_form(self, entry: StoredMessage) -> None:
        if self.forms is not None and (difference := difference_of(entry)) is not None:
            self.forms.append((entry.sequence, difference))

    def _balances_are_off(self, book: AccountBook, said: Balances, off: tuple[int, int]) -> None:
        """Said once; again only when the difference changes, since what is based on wrong balances is wrong too."""
        explained = book.adrift or not _MOVED_OTHERWISE.isdisjoint(self._found)
        book.drift, book.adrift = off, False
        if explained or off == (0, 0):
            return
        kind = BreachKind.NEGATIVE_BALANCE if min(said.available, said.held) < 0 else BreachKind.WRONG_BALANCE
        says = (
            f"says {said.available} available and {said.held} held;"
            f" the postings make it {book.available} and {book.held}"
        )
        self.found(kind, says)


def _before(book: AccountBook) -> Before:
    """The account as it is before a message that may turn out not to be an entry."""
    return book.entry, book.doubtful, book.adrift, book.unread
