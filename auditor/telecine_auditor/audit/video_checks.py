"""What VIDEO says of each generation, compared with what the ledger made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.account import AccountBook, HoldBook
from telecine_auditor.ledger.event_parser import time_of_storing
from telecine_auditor.ledger.header_parser import Unreadable, header_lines, shown
from telecine_auditor.ledger.replay import Books
from telecine_auditor.ledger.strict_json import amount_in, parse_time, read_json
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_auditor.sources.port import VIDEO

__all__ = ["Videos"]

COMPLETED, FAILED = "completed", "failed"
_TYPES = {
    "requested": b"generation.requested.v1",
    "stored": b"video.stored.v1",
    "storage_failed": b"video.storage_failed.v1",
    "failed": b"generation.failed.v1",
    "cancelled": b"generation.cancelled.v1",
}


@dataclass(slots=True, eq=False)
class _Asked:
    """A generation that the ledger knows nothing of (yet)."""

    made: str | None = None


class Videos:
    """Feed it all of VIDEO after the books have taken all of LEDGER, up to a point that is later than theirs.

    `now` is when the books were closed: what ended on VIDEO less than `in_flight` before then, or after it, may have
    its end on the ledger still to come. `erased` counts charged generations of which VIDEO knows nothing because it was
    purged, `in_flight` those that ended a moment ago, `undecided` those that were asked for and neither charged nor
    denied. A generation that is held and has not ended is none of these: it runs.
    """

    def __init__(
        self, books: Books, on_breach: Callable[[Breach], None], *, now: datetime, in_flight: timedelta
    ) -> None:
        self.entries = 0
        self.sequence = 0
        self.completed = 0
        self.failed = 0
        self.in_flight = 0
        self.erased = 0
        self.purged = False
        self._books = books
        self._on_breach = on_breach
        self._recent = now - in_flight
        self._strangers: dict[tuple[str, str], _Asked] = {}
        self._since: dict[str, datetime] = {}

    @property
    def undecided(self) -> int:
        """Generations that were asked for, have not ended, and that the ledger does not know."""
        return sum(asked.made is None for asked in self._strangers.values())

    def take(self, entries: Sequence[StoredMessage]) -> None:
        """Take the next entries of VIDEO."""
        for entry in entries:
            if entry.sequence != self.sequence + 1:
                self.purged = True
            self.sequence = entry.sequence
            self.entries += 1
            try:
                self._take(entry)
            except Unreadable as problem:
                self._breach(entry, problem.kind, str(problem))

    def finish(self) -> None:
        """Compare the other way round: what the ledger charged was asked for, and ended as it says."""
        for book in self._books.accounts.values():
            for hold in (*book.holds.values(), *book.ended.values()):
                if hold.outcome != "denied" and not (hold.asked and hold.made):
                    self._judge_charge(book, hold)

    def _take(self, entry: StoredMessage) -> None:
        prefix, _, rest = entry.subject.partition(".")
        account, _, rest = rest.partition(".")
        generation, _, action = rest.partition(".")
        if prefix != "video" or not action:
            raise Unreadable(f"subject {shown(entry.subject)} is not of VIDEO", BreachKind.WRONG_SUBJECT)
        if account not in self._since:
            self._since[account] = _time_of(entry)
        if action not in _TYPES:
            return
        head = parse_canonical_headers(entry.head)
        if head is None or head[3] != _TYPES[action]:
            _check_type(entry, _TYPES[action])
        book = self._books.accounts.get(account)
        hold = None
        if book is not None:
            hold = book.holds.get(generation) or book.ended.get(generation)
        if action == "requested":
            self._requested(entry, (account, generation), hold)
        else:
            self._ended(entry, (account, generation), hold)

    def _requested(self, entry: StoredMessage, key: tuple[str, str], hold: HoldBook | None) -> None:
        body = _body(entry, key)
        price = body.get("price")
        if type(price) is not dict:
            raise Unreadable(f"price is {shown(price)}, not an object")
        asked = amount_in(price.get("credits"), "price.credits", least=1)
        if hold is None:
            self._strangers.setdefault(key, _Asked())
            return
        hold.asked = True
        if hold.amount != asked and (hold.outcome != "denied" or hold.amount):
            says = f"asked for at {asked} credits, {'denied' if hold.outcome == 'denied' else 'charged'} {hold.amount}"
            self._breach(entry, BreachKind.PRICE_NOT_AS_ASKED, says, key)

    def _ended(self, entry: StoredMessage, key: tuple[str, str], hold: HoldBook | None) -> None:
        made, body = FAILED, _body(entry, key)
        if entry.subject.endswith(".stored") or (
            entry.subject.endswith(".storage_failed") and body.get("stopgap_url") is not None
        ):
            made = COMPLETED
        known = hold or self._strangers.setdefault(key, _Asked())
        if known.made is not None:
            self._breach(entry, BreachKind.TWO_ENDS, f"{made}, and had {known.made} before", key)
            return
        known.made = made
        if made == COMPLETED:
            self.completed += 1
        else:
            self.failed += 1
        self._judge_end(entry, key, hold, made)

    def _judge_end(
        self, entry: StoredMessage, key: tuple[str, str], hold: HoldBook | None, made: str
    ) -> None:
        outcome = hold.outcome if hold is not None else "never charged"
        fitting = ("settled",) if made == COMPLETED else ("refunded", "denied", "never charged")
        if outcome in fitting:
            return
        if outcome in ("held", "never charged") and _time_of(entry) > self._recent:
            self.in_flight += 1
        elif made == COMPLETED:
            self._breach(entry, BreachKind.COMPLETED_NOT_SETTLED, f"completed, and is {outcome}", key)
        elif outcome == "settled":
            self._breach(entry, BreachKind.SETTLED_NOT_COMPLETED, "failed or cancelled, and is settled", key)
        else:
            self._breach(entry, BreachKind.FAILED_NOT_REFUNDED, f"failed or cancelled, and is {outcome}", key)

    def _judge_charge(self, book: AccountBook, hold: HoldBook) -> None:
        """A charge that VIDEO does not bear out."""
        if not hold.asked:
            known_since = self._since.get(book.name)
            if self.purged and (known_since is None or hold.since < known_since):
                self.erased += 1
                return
            other = self._asked_by_another(book.name, hold.generation)
            if other is not None:
                says = f"{hold.amount} charged to {book.name}, and account {other} asked for it"
                self._charge_breach(book, hold, (BreachKind.WRONG_ACCOUNT, says))
            else:
                says = f"{hold.amount} charged, and nobody asked for it"
                self._charge_breach(book, hold, (BreachKind.NOT_ASKED_FOR, says))
        elif hold.outcome == "settled":
            says = "settled, and has not completed"
            self._charge_breach(book, hold, (BreachKind.SETTLED_NOT_COMPLETED, says))
        elif hold.outcome == "refunded":
            says = "refunded, and has neither failed nor been cancelled"
            self._charge_breach(book, hold, (BreachKind.REFUNDED_NOT_FAILED, says))

    def _asked_by_another(self, account: str, generation: str) -> str | None:
        for other, of in self._strangers:
            if of == generation and other != account:
                return other
        for book in self._books.accounts.values():
            known = book.holds.get(generation) or book.ended.get(generation)
            if known is not None and known.asked:
                return book.name
        return None

    def _breach(
        self, entry: StoredMessage, kind: BreachKind, says: str, key: tuple[str, str] | None = None
    ) -> None:
        account, generation = key or (None, None)
        self._on_breach(Breach(kind, says, VIDEO, entry.sequence, account, generation))

    def _charge_breach(self, book: AccountBook, hold: HoldBook, what: tuple[BreachKind, str]) -> None:
        sequence = hold.ended if hold.asked else hold.debited
        breach = Breach(*what, sequence=sequence, account=book.name, generation=hold.generation)
        self._on_breach(breach)


def _body(entry: StoredMessage, key: tuple[str, str]) -> dict[str, Any]:
    """The event; it is about what its subject says. Raises Unreadable."""
    body = read_json(entry.body)
    if type(body) is not dict:
        raise Unreadable("the body is not a JSON object")
    if (body.get("account"), body.get("generation")) != key:
        raise Unreadable("the body is about another generation than the subject", BreachKind.WRONG_SUBJECT)
    return body


def _check_type(entry: StoredMessage, wanted: bytes) -> None:
    stated = header_lines(entry.head).get("ce-type")
    if stated is None or stated.encode() != wanted:
        raise Unreadable(f"its header says that it is {shown(stated)}", BreachKind.WRONG_SUBJECT)


def _time_of(entry: StoredMessage) -> datetime:
    """When it was written, as its header says, but not later than the server stored it."""
    stored = time_of_storing(entry.stored_at)
    try:
        return min(stored, parse_time(header_lines(entry.head).get("ce-time"), "header ce-time"))
    except Unreadable:
        return stored
