"""Replays the ledger: checks every entry and applies it to its account."""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.rules.closing_checks import EXPIRY_DELAY, find_overdue
from telecine_auditor.ledger.rules.cross_account_checks import differing_prices, shared_generations
from telecine_auditor.ledger.rules.registry import EVENT_TYPES, RULES, SubjectHandler, event_identity
from telecine_auditor.sources.message import CanonicalHeaders, StoredMessage, parse_canonical_headers

from .account import Account, Expiry, ForeignMessage, Grant, GrantShares, Hold, Limits
from .canonical_form import describe_deviation
from .clock_skew import ClockSkew
from .event_parser import EVENT_SCHEMAS, ParsedEvent, parse_event
from .events import Balances
from .header_parser import UnreadableEntry, parse_identity, printable
from .price_tables import PriceTables

__all__ = ["Account", "Expiry", "Grant", "GrantShares", "Hold", "LedgerReplay", "Limits", "ParsedEvent"]

_AccountState = tuple[int, bool, bool, int]
"""An account's entry, incomplete, balance_unknown and unread."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WRITER = b"telecine/credits"
_SKIPPED = EVENT_SCHEMAS["skipped"]
_EXPLAINS_BALANCES = frozenset(
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
"""An entry with one of these breaches moved the wrong credits; wrong balances after it are the same breach."""


class LedgerReplay:
    """The state of all accounts after the entries taken so far. Breaches go to `on_breach`.

    `entries` counts entries, `sequence` is the sequence of the last one. `unattributed` counts entries that moved
    credits and did not name their grants (before 0.2); `names_grants`: an entry of some account did. `first_at` and
    `last_at` are the earliest and latest decision. `deviations`, if it is a list, gets (sequence, description) of every
    entry that is not in canonical form. `skipped` describes, by sequence, the messages that are not entries and that a
    decision on the ledger skips. `prices`: the tables by which debits are recomputed.
    """

    def __init__(self, on_breach: Callable[[Breach], None], clocks: ClockSkew | None = None) -> None:
        self.accounts: dict[str, Account] = {}
        self.entries = 0
        self.sequence = 0
        self.unattributed = 0
        self.names_grants = False
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.clocks = clocks or ClockSkew()
        self.deviations: list[tuple[int, str]] | None = None
        self.skipped: dict[int, str] = {}
        self.prices = PriceTables()
        self._on_breach = on_breach
        self._handlers: dict[str, SubjectHandler] = {}
        self._ids: set[bytes] = set()
        self._account: str | None = None
        self._reported: list[BreachKind] = []

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
        """Check and apply the next entries. `heads` are their headers from `parse_canonical_headers`."""
        take = self._take
        for entry, head in zip(entries, heads, strict=True):
            take(entry, head)

    def take(self, entry: StoredMessage) -> ParsedEvent | None:
        """Check and apply the next entry. None: it is unreadable or a copy, which is a breach."""
        return self._take(entry, parse_canonical_headers(entry.head))

    def register_ids(
        self, entries: Sequence[StoredMessage], heads: Sequence[CanonicalHeaders | None]
    ) -> None:
        """Remember the event ids of entries that a snapshot covers, so that a repeated id is found."""
        for entry, head in zip(entries, heads, strict=True):
            event_id = head[1] if head is not None else (entry.header("ce-id") or "").encode()
            self._ids.add(event_id)

    def finish(self, now: datetime, hold_limit: timedelta, expiry_delay: timedelta = EXPIRY_DELAY) -> None:
        """Checks that need all entries: overdue holds and expiries, and accounts compared with each other."""
        accounts = self.accounts.values()
        overdue = find_overdue(accounts, now, hold_limit, expiry_delay)
        for breaches in (overdue, shared_generations(accounts), differing_prices(accounts)):
            for breach in breaches:
                self._on_breach(breach)

    def report(self, kind: BreachKind, message: str, generation: str | None = None) -> None:
        """Report a breach of the current entry."""
        self._reported.append(kind)
        self._on_breach(
            Breach(kind, message, sequence=self.sequence, account=self._account, generation=generation)
        )

    def _take(self, entry: StoredMessage, head: CanonicalHeaders | None) -> ParsedEvent | None:
        # This runs once for every entry of the ledger. Steps that every entry needs stand here and not in functions of
        # their own: calls are a large part of its time.
        sequence, stored_at, subject, _, _ = entry
        self.entries += 1
        self._account = None
        if self._reported:
            self._reported = []
        if sequence != self.sequence + 1:
            self._sequence_gap(sequence)
        self.sequence = sequence
        try:
            handler = self._handlers.get(subject) or self._new_handler(entry)
            account = handler.account
            self._account = account.name
            event_id, source = event_identity(entry, head, handler)
            parsed = parse_event(entry, account.name, handler.schema)
        except UnreadableEntry as problem:
            self._unreadable(entry, problem)
            return None
        ids = self._ids
        known = len(ids)
        ids.add(event_id)
        if len(ids) == known and self._is_copy(account, parsed, event_id):
            return None
        if parsed.problem is not None:
            self._number_only(entry, account, parsed, source)
            return None
        self._number(account, parsed, source)
        handler.rule(self, account, parsed)
        if not parsed.canonical:
            self._note_deviation(entry)
        if account.names_grants and not self.names_grants:
            self.names_grants = True
        if not parsed.dated and self.names_grants:
            self.report(BreachKind.UNREADABLE, "decided_at is missing")
        balances = parsed.event.balances
        offset = balances.available - account.available, balances.held - account.held
        if offset != account.balance_offset or account.balance_unknown:
            self._balances_differ(account, balances, offset)
        self._note_time(account, stored_at, parsed.decided_at)
        return parsed

    def _number(self, account: Account, parsed: ParsedEvent, source: bytes) -> None:
        """The entry's place in its account, and its writer."""
        if account.foreign_messages or parsed.schema is _SKIPPED:
            self._after_foreign_messages(account, parsed)
        if parsed.number == account.entry + 1:
            account.entry = parsed.number
        else:
            self._out_of_order(account, parsed.number)
        if source != _WRITER:
            self.report(BreachKind.FOREIGN_SOURCE, f"written by {printable(source.decode())}, not by credits")

    def _number_only(
        self, entry: StoredMessage, account: Account, parsed: ParsedEvent, source: bytes
    ) -> None:
        """An entry whose number can be read and whose details cannot."""
        before = _state(account)
        self._number(account, parsed, source)
        if parsed.problem is not None:
            self._unreadable(entry, parsed.problem, before)

    def _note_time(self, account: Account, stored_at: int, at: datetime) -> None:
        if self.last_at is None or at > self.last_at:
            self.last_at = at
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        clocks = self.clocks
        if not clocks.begin <= stored_at < clocks.end:
            clocks.turn(stored_at)
        if not clocks.earliest <= at <= clocks.latest and (message := clocks.judge(account, stored_at, at)):
            self.report(BreachKind.WRONG_TIME, message)

    def _sequence_gap(self, sequence: int) -> None:
        before, self.sequence = self.sequence, sequence
        if sequence <= before:
            self.report(BreachKind.SEQUENCE_GAP, f"comes after sequence {before}")
        else:
            missing = f"{before + 1} to {sequence - 1}" if sequence > before + 2 else str(before + 1)
            self.report(BreachKind.SEQUENCE_GAP, f"sequence {missing} of the stream is missing")

    def _new_handler(self, entry: StoredMessage) -> SubjectHandler:
        """Raises UnreadableEntry for a subject that no entry can have."""
        prefix, _, rest = entry.subject.partition(".")
        name, _, action = rest.partition(".")
        if prefix != "ledger" or not _NAME.fullmatch(name):
            raise UnreadableEntry(
                f"subject {printable(entry.subject)} is not of the ledger", BreachKind.WRONG_SUBJECT
            )
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name)
        if action not in EVENT_SCHEMAS:
            self._account = name
            parse_identity(entry, (), EVENT_TYPES)
            raise UnreadableEntry(f"unknown event {printable(action)}", BreachKind.UNKNOWN_EVENT)
        schema = EVENT_SCHEMAS[action]
        stated = schema.types[0].encode(), entry.subject.encode()
        handler = SubjectHandler(account, schema, RULES[action], *stated)
        self._handlers[entry.subject] = handler
        return handler

    def _is_copy(self, account: Account, parsed: ParsedEvent, event_id: bytes) -> bool:
        """Whether an entry with a repeated id is a copy of an entry that was applied already."""
        self.report(BreachKind.REPEATED_ID, f"id {printable(event_id.decode('latin-1'))} was used before")
        return parsed.number <= account.entry

    def _out_of_order(self, account: Account, number: int) -> None:
        missing = number - account.entry - 1
        place = f"is entry {number} of its account, after entry {account.entry}"
        if missing < 0:
            self.report(BreachKind.OUT_OF_ORDER, place)
            return
        if missing > account.unread:
            self.report(BreachKind.ENTRY_GAP, f"{place}: {missing} missing")
        account.unread = max(0, account.unread - missing)
        account.incomplete = True
        account.entry = number

    def _unreadable(
        self, entry: StoredMessage, problem: UnreadableEntry, before: _AccountState | None = None
    ) -> None:
        """What the entry moved is not known, and the entries after it are checked with that in mind."""
        account = self.accounts.get(self._account) if self._account is not None else None
        # A message that names another account may be an entry of that account.
        if account is not None and problem.account in (None, account.name):
            self._keep_foreign(account, entry, str(problem), before or _state(account))
        self.report(problem.kind, str(problem))
        for name in {self._account, problem.account}:
            account = self.accounts.get(name) if name is not None else None
            if account is not None:
                account.incomplete = account.balance_unknown = True
                account.unread += before is None

    def _keep_foreign(
        self, account: Account, entry: StoredMessage, problem: str, before: _AccountState
    ) -> None:
        """Keep a message that a later decision may skip, with the state of the account before it."""
        number, incomplete, balance_unknown, unread = before
        if account.foreign_messages:
            first = next(iter(account.foreign_messages.values()))
            incomplete, balance_unknown, unread = first.incomplete, first.balance_unknown, first.unread
        account.foreign_messages[entry.sequence] = ForeignMessage(
            problem=problem,
            sha256=hashlib.sha256(entry.body).hexdigest(),
            entry=number,
            taken=account.entry if account.entry != number else 0,
            incomplete=incomplete,
            balance_unknown=balance_unknown,
            unread=unread,
        )

    def _after_foreign_messages(self, account: Account, parsed: ParsedEvent) -> None:
        """A decision to skip a message restores the account's state before it, if the message is not an entry."""
        if parsed.schema is not _SKIPPED:
            # Credits decides nothing after a message that it cannot read, so the messages before this entry were
            # entries.
            account.foreign_messages.clear()
            return
        sequence, digest = parsed.body["skips"], parsed.body["sha256"]
        foreign = account.foreign_messages.get(sequence)
        if foreign is None or foreign.sha256 != digest:
            why = "is not a foreign message of this account" if foreign is None else "has another body"
            self.report(BreachKind.WRONG_SKIP, f"skips LEDGER#{sequence}, which {why}")
            return
        for other in reversed(account.foreign_messages.values()):
            if other.taken and other.taken == account.entry:
                account.entry = other.entry
        del account.foreign_messages[sequence]
        if not account.foreign_messages:
            account.incomplete, account.balance_unknown = foreign.incomplete, foreign.balance_unknown
            account.unread = foreign.unread
        self.skipped[sequence] = (
            f"LEDGER#{sequence} on the ledger of {account.name} is not an entry ({foreign.problem}) and is skipped by"
            f" the decision LEDGER#{parsed.sequence}: {printable(parsed.body['reason'])}"
        )

    def _note_deviation(self, entry: StoredMessage) -> None:
        if self.deviations is not None and (deviation := describe_deviation(entry)) is not None:
            self.deviations.append((entry.sequence, deviation))

    def _balances_differ(self, account: Account, stated: Balances, offset: tuple[int, int]) -> None:
        """Reported when the difference changes: entries after a wrong balance build on it."""
        explained = account.balance_unknown or not _EXPLAINS_BALANCES.isdisjoint(self._reported)
        account.balance_offset, account.balance_unknown = offset, False
        if explained or offset == (0, 0):
            return
        negative = min(stated.available, stated.held) < 0
        kind = BreachKind.NEGATIVE_BALANCE if negative else BreachKind.WRONG_BALANCE
        self.report(
            kind,
            f"states {stated.available} available and {stated.held} held;"
            f" the postings result in {account.available} and {account.held}",
        )


def _state(account: Account) -> _AccountState:
    return account.entry, account.incomplete, account.balance_unknown, account.unread
