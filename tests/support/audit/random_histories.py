"""Random histories of a ledger, made by the rules of credits and written down as entries of the stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.audit.large_ledger import event_head, event_id

from telecine_auditor.breaches import Breach
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import CreditsDenied, CreditsSettled, GrantKind, LedgerEvent, Posting
from telecine_contracts.pricing import SEED_TABLE, Price, PricedInputs, seed_price
from telecine_contracts.registry import encode
from telecine_contracts.subjects import of_event
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Debit, Expire, Refund, Settle, TimedCommand
from telecine_credits.rules.decider import decide
from telecine_credits.rules.errors import LedgerRefused, NotDebited

__all__ = [
    "ACCOUNTS",
    "Rules",
    "SimulatedLedger",
    "assert_clean",
    "audit_entries",
    "entry_for",
    "replay_state",
    "run_history",
]

START = datetime(2026, 5, 1, 22, tzinfo=UTC)
_KINDS = tuple(GrantKind)
_KEYS = (None, "key_a", "key_b")
_LENGTHS = SEED_TABLE.quote(PricedInputs(model=None, resolution="480p", seconds=12, shortest=4))
"""40 credits up to ten seconds, 60 beyond: the model chooses."""
_CLIPS = (
    *(seed_price(*clip) for clip in (("480p", 5), ("720p", 5), ("1080p", 5), ("720p", 12))),
    _LENGTHS,
)
ACCOUNTS = ("ann", "bob")
_STEP = 3
"""Bytes that make one command: what, how much, when."""


@dataclass(frozen=True)
class Rules:
    """The rules that a history is made by: those of credits, or the same with a mistake in them.

    `refusals` are the errors by which they refuse a command.
    """

    decide: Callable[..., Any] = decide
    evolve: Callable[..., Any] = evolve
    new: Callable[[], Any] = Account
    refusals: tuple[type[Exception], ...] = (LedgerRefused, NotDebited)


def entry_for(event: LedgerEvent, sequence: int, at: datetime) -> StoredMessage:
    """The entry of the stream that an event is."""
    subject = of_event(event)
    ident = event_id(sequence, event.account, event.entry)
    head = event_head(ident, event.type, subject, at.isoformat()[:-6], ident)
    return StoredMessage(sequence, int(at.timestamp() * 1e9), subject, head, encode(event))


@dataclass
class SimulatedLedger:
    """Two accounts that live by the rules. `events` are all that happened, `entries` the same as they were written.

    The first `old` entries are as they were before 0.2: they name no grants and do not say when they were decided.
    """

    rules: Rules = field(default_factory=Rules)
    old: int = 0
    accounts: dict[str, Any] = field(default_factory=dict)
    events: list[LedgerEvent] = field(default_factory=list)
    entries: list[StoredMessage] = field(default_factory=list)
    latest: datetime = START
    asked: int = 0

    def do(self, timed: TimedCommand) -> None:
        """Carry out one command; refused ones leave no trace."""
        account = self.accounts.setdefault(timed.command.account, self.rules.new())
        try:
            event = self.rules.decide(timed, account)
        except self.rules.refusals:
            return
        if event is not None and len(self.events) < self.old:
            event = _in_old_format(event)
        if event is not None:
            self._enter(event, timed.at)

    def _enter(self, event: LedgerEvent, at: datetime) -> None:
        self.accounts[event.account] = self.rules.evolve(self.accounts[event.account], event)
        self.events.append(event)
        self.entries.append(entry_for(event, len(self.entries) + 1, at))

    def pass_time(self, when: int) -> datetime:
        """Time goes on by minutes, hours and days, and now and then back: the clocks of replicas differ."""
        if when < 40:
            return self.latest - timedelta(minutes=when)
        self.latest += timedelta(minutes=when - 40) if when < 210 else timedelta(hours=when - 209)
        return self.latest

    def of(self, account: str, action: str) -> list[LedgerEvent]:
        """What happened to an account, of one kind."""
        return [event for event in self.events if event.account == account and event.action == action]


def run_history(data: bytes, rules: Rules | None = None, *, old: int = 0) -> SimulatedLedger:
    """The history that these bytes tell, three of them a command."""
    world = SimulatedLedger(rules or Rules(), old)
    for account in ACCOUNTS:
        world.do(
            TimedCommand(
                GrantCredits(account=account, amount=90, kind=GrantKind.PAID, reference="first"), START
            )
        )
    for at in range(0, len(data) - _STEP + 1, _STEP):
        what, size, when = data[at : at + _STEP]
        owner = ACCOUNTS[size % 4 == 0]
        command = _COMMANDS[what % len(_COMMANDS)](world, owner, size)
        if command is not None:
            world.do(_shifted_to(command, world.pass_time(when)))
    return world


def audit_entries(entries: Sequence[StoredMessage]) -> tuple[LedgerReplay, list[Breach]]:
    """The replay of these entries, and the breaches that it found."""
    found: list[Breach] = []
    books = LedgerReplay(found.append)
    books.take_all(entries, [parse_canonical_headers(entry.head) for entry in entries])
    return books, found


def replay_state(books: LedgerReplay) -> list[object]:
    """All that stands in the books."""
    whole: list[object] = [books.entries, books.sequence, books.unattributed, books.first_at, books.last_at]
    whole += [books.clocks.begun_at, books.clocks.restored]
    for book in books.accounts.values():
        rows: list[Any] = [
            *book.grants.values(),
            *book.holds.values(),
            *book.ended.values(),
            *book.expiries.values(),
        ]
        whole += [[getattr(row, name) for name in row.__slots__ if name != "shares"] for row in rows]
        names = (
            "entry",
            "available",
            "held",
            "issued",
            "spent",
            "expired",
            "closed",
            "references",
            "limits",
            "used",
        )
        whole += [getattr(book, name) for name in (*names, "day", "debits", "unknown_prices", "names_grants")]
        whole.append(book.decided_at)
        whole += [grant.number for grant in book.available_grants]
    return whole


def _in_old_format(event: LedgerEvent) -> LedgerEvent | None:
    """The event as version 0.1 would have written it; None where it would have written another, or none."""
    if event.action not in ("granted", "debited", "settled", "refunded", "denied"):
        return None
    if isinstance(event, CreditsSettled) and event.seconds is not None:
        return None
    if isinstance(event, CreditsDenied) and event.available != event.balances.available:
        return None
    sums: Counter[str] = Counter()
    for leg in event.postings:
        sums[leg.account] += leg.amount
    legs = tuple(Posting(account=side, amount=amount) for side, amount in sums.items())
    new = {"decided_at": None, "usable_until": None}
    return event.model_copy(
        update={"postings": legs} | {name: new[name] for name in new if hasattr(event, name)}
    )


def _shifted_to(timed: TimedCommand, moment: datetime) -> TimedCommand:
    command = timed.command
    if isinstance(command, GrantCredits) and command.expires_at is not None:
        expires_at = moment + (command.expires_at - timed.at)
        command = command.model_copy(update={"expires_at": expires_at})
    return TimedCommand(command, moment)


def _grant(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    lives = timedelta(hours=size % 60) if size % 3 else None
    return TimedCommand(
        GrantCredits(
            account=owner,
            amount=1 + 2 * size,
            kind=_KINDS[size % 7 % 3],
            reference=f"r{len(world.events) if size % 8 else size}",
            expires_at=START + lives if lives else None,
        ),
        START,
    )


def _debit(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    world.asked += bool(size % 16)
    price = _CLIPS[size % len(_CLIPS)] if size < 160 else _old_clip(size % 23 + 1)
    return TimedCommand(
        Debit(account=owner, generation=f"g{world.asked}", price=price, api_key=_KEYS[size % 5 % 3]), START
    )


def _old_clip(credits: int) -> Price:
    return Price(credits=credits, table="2025-01", resolution="720p", duration=5)


def _running(world: SimulatedLedger, owner: str, size: int) -> str:
    debits = world.of(owner, "debited")
    return debits[-1 - size % min(len(debits), 6)].about["generation"] if debits else "g0"


def _settle(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    seconds = size / 16 if size % 8 else None
    return TimedCommand(
        Settle(account=owner, generation=_running(world, owner, size), seconds=seconds), START
    )


def _refund(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    if size % 16 == 1:
        return TimedCommand(Refund(account=owner, generation=f"h{size}", reason="cancelled"), START)
    return TimedCommand(
        Refund(account=owner, generation=_running(world, owner, size), reason="deadline"), START
    )


def _expire(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    grants = world.of(owner, "granted")
    return TimedCommand(Expire(account=owner, grant=grants[size % len(grants)].entry), START)


def _adjust(world: SimulatedLedger, owner: str, size: int) -> TimedCommand | None:
    wanted = ("granted", "settled", "expired")[size % 3]
    entries = world.of(owner, wanted)
    if not entries:
        return None
    corrects = entries[size % len(entries)].entry
    reference = f"a{len(world.events)}"
    return TimedCommand(
        AdjustCredits(account=owner, corrects=corrects, amount=1 + size % 31, reference=reference), START
    )


def _limit(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    per_day = (None, 90, 200, 400)[size % 4]
    per_generation = (None, None, 45, 60)[size // 4 % 4]
    key = _KEYS[size // 16 % 3]
    return TimedCommand(
        SetSpendLimits(account=owner, api_key=key, per_day=per_day, per_generation=per_generation), START
    )


def _close(world: SimulatedLedger, owner: str, size: int) -> TimedCommand | None:
    return TimedCommand(CloseAccount(account=owner), START) if size < 80 else None


def _reopen(world: SimulatedLedger, owner: str, size: int) -> TimedCommand:
    return TimedCommand(ReopenAccount(account=owner), START)


_COMMANDS: tuple[Callable[[SimulatedLedger, str, int], TimedCommand | None], ...] = (
    *(_debit,) * 9,
    *(_settle,) * 5,
    *(_refund,) * 5,
    *(_grant,) * 4,
    *(_expire,) * 4,
    *(_adjust,) * 5,
    *(_limit,) * 2,
    _close,
    *(_reopen,) * 3,
)


def assert_clean(world: SimulatedLedger) -> LedgerReplay:
    """The auditor finds nothing in what happened, and comes to the same balances; its books."""
    books, found = audit_entries(world.entries)
    assert found == []
    for name, account in world.accounts.items():
        book = books.accounts[name]
        assert (book.available, book.held) == (account.available, account.held)
        assert (book.entry, book.closed) == (account.entry, account.is_closed)
    assert books.issued == books.available + books.held + books.spent + books.expired
    return books
