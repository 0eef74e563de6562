"""Compares the outcome of each generation on VIDEO with its charge on the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.account import Account, Hold
from telecine_auditor.ledger.event_parser import stored_time
from telecine_auditor.ledger.header_parser import UnreadableEntry, parse_headers, printable
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.ledger.strict_json import parse_amount, parse_strict_json, parse_time
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_auditor.sources.port import VIDEO
from telecine_contracts.pricing import price_of_length

__all__ = ["ERASURE", "VideoChecks"]

COMPLETED, FAILED = "completed", "failed"
ERASURE = ("account", "erased")
"""The last two tokens of the subject of AccountErased."""
_ERASED_TYPE = b"account.erased.v1"
_TYPES = {
    "requested": b"generation.requested.v1",
    "stored": b"video.stored.v1",
    "storage_failed": b"video.storage_failed.v1",
    "failed": b"generation.failed.v1",
    "cancelled": b"generation.cancelled.v1",
}


@dataclass(slots=True, eq=False)
class _RequestedGeneration:
    """A generation on VIDEO that the ledger does not have (yet)."""

    video_outcome: str | None = None


class VideoChecks:
    """Takes all of VIDEO after the replay has taken LEDGER. VIDEO is read later, so it may have newer events.

    `now` is the time at which the replay ended. A generation that ended less than `in_flight` before `now`, or
    later, may not have its settlement or refund yet; `in_flight` counts these. `erased` counts generations that
    were charged before AccountErased of their account, and are not on VIDEO any more; `undecided` requested
    generations that were neither charged nor denied. A held generation without an outcome is running and counts as
    none of these.
    """

    def __init__(
        self,
        replay: LedgerReplay,
        on_breach: Callable[[Breach], None],
        *,
        now: datetime,
        in_flight: timedelta,
    ) -> None:
        self.entries = 0
        self.sequence = 0
        self.completed = 0
        self.failed = 0
        self.in_flight = 0
        self.erased = 0
        self._replay = replay
        self._on_breach = on_breach
        self._recent = now - in_flight
        self._not_on_ledger: dict[tuple[str, str], _RequestedGeneration] = {}
        self._erased: dict[str, int] = {}

    @property
    def undecided(self) -> int:
        """Generations that were requested, have not ended, and are not on the ledger."""
        return sum(asked.video_outcome is None for asked in self._not_on_ledger.values())

    def take(self, entries: Sequence[StoredMessage]) -> None:
        """Take the next entries of VIDEO."""
        for entry in entries:
            # Events of an erased account are deleted, so a gap is not a breach here.
            self.sequence = entry.sequence
            self.entries += 1
            try:
                self._take(entry)
            except UnreadableEntry as problem:
                self._breach(entry, problem.kind, str(problem))

    def finish(self) -> None:
        """Check the other direction: every charge was requested, and ended as the ledger states."""
        for account in self._replay.accounts.values():
            for hold in (*account.holds.values(), *account.ended.values()):
                if hold.outcome != "denied" and not (hold.requested and hold.video_outcome):
                    self._judge_charge(account, hold)

    def _take(self, entry: StoredMessage) -> None:
        prefix, _, rest = entry.subject.partition(".")
        name, _, rest = rest.partition(".")
        generation, _, action = rest.partition(".")
        if prefix != "video" or not action:
            raise UnreadableEntry(
                f"subject {printable(entry.subject)} is not of VIDEO", BreachKind.WRONG_SUBJECT
            )
        if (generation, action) == ERASURE:
            self._account_erased(entry, name)
            return
        # Other events (submitted, ready …) say nothing about charges.
        if action not in _TYPES:
            return
        head = parse_canonical_headers(entry.head)
        if head is None or head[3] != _TYPES[action]:
            _check_type(entry, _TYPES[action])
        account = self._replay.accounts.get(name)
        hold = None
        if account is not None:
            hold = account.holds.get(generation) or account.ended.get(generation)
        if action == "requested":
            self._requested(entry, (name, generation), hold)
        else:
            self._ended(entry, (name, generation), hold)

    def _account_erased(self, entry: StoredMessage, name: str) -> None:
        """Charges up to an entry of the account's ledger cannot be checked; the account may return after that."""
        _check_type(entry, _ERASED_TYPE)
        body = parse_strict_json(entry.body)
        if type(body) is not dict or body.get("account") != name:
            raise UnreadableEntry(
                "the body is about another account than the subject", BreachKind.WRONG_SUBJECT
            )
        upto = parse_amount(body.get("ledger_sequence"), "ledger_sequence", least=0)
        self._erased[name] = max(upto, self._erased.get(name, 0))

    def _requested(self, entry: StoredMessage, key: tuple[str, str], hold: Hold | None) -> None:
        body = _body(entry, key)
        price = body.get("price")
        if type(price) is not dict:
            raise UnreadableEntry(f"price is {printable(price)}, not an object")
        asked = parse_amount(price.get("credits"), "price.credits", least=1)
        if hold is None:
            self._not_on_ledger.setdefault(key, _RequestedGeneration())
            return
        hold.requested = True
        if hold.amount != asked and (hold.outcome != "denied" or hold.amount):
            done = "denied" if hold.outcome == "denied" else "charged"
            message = f"requested at {asked} credits, {done} {hold.amount}"
            self._breach(entry, BreachKind.PRICE_NOT_AS_ASKED, message, key)

    def _ended(self, entry: StoredMessage, key: tuple[str, str], hold: Hold | None) -> None:
        made, body = FAILED, _body(entry, key)
        # Where storage failed but the URL of the provider still serves, a video was delivered.
        if entry.subject.endswith(".stored") or (
            entry.subject.endswith(".storage_failed") and body.get("stopgap_url") is not None
        ):
            made = COMPLETED
        known = hold or self._not_on_ledger.setdefault(key, _RequestedGeneration())
        if known.video_outcome is not None:
            self._breach(entry, BreachKind.TWO_ENDS, f"{made}, but already {known.video_outcome}", key)
            return
        known.video_outcome = made
        if made == COMPLETED:
            self.completed += 1
        else:
            self.failed += 1
        self._judge_end(entry, key, hold, made)
        if made == COMPLETED and hold is not None and hold.lengths and hold.outcome == "settled":
            self._judge_length(entry, key, hold, body.get("duration"))

    def _judge_end(self, entry: StoredMessage, key: tuple[str, str], hold: Hold | None, made: str) -> None:
        outcome = hold.outcome if hold is not None else "never charged"
        fitting = ("settled",) if made == COMPLETED else ("refunded", "denied", "never charged")
        if outcome in fitting:
            return
        if outcome in ("held", "never charged") and _time_of(entry) > self._recent:
            self.in_flight += 1
        elif made == COMPLETED:
            self._breach(entry, BreachKind.COMPLETED_NOT_SETTLED, f"completed, but {outcome}", key)
        elif outcome == "settled":
            self._breach(entry, BreachKind.SETTLED_NOT_COMPLETED, "failed or cancelled, but settled", key)
        else:
            self._breach(entry, BreachKind.FAILED_NOT_REFUNDED, f"failed or cancelled, but {outcome}", key)

    def _judge_length(self, entry: StoredMessage, key: tuple[str, str], hold: Hold, stated: object) -> None:
        """The model chose the length: what was settled is the price of the video's."""
        length: int | None = None
        if isinstance(stated, int | float) and not isinstance(stated, bool) and hold.lengths:
            length = price_of_length(hold.lengths, stated)[0]
        if hold.seconds != length:
            message = f"settled for {hold.seconds} s, the video counts as {length} s"
            self._breach(entry, BreachKind.WRONG_SETTLEMENT, message, key)

    def _judge_charge(self, account: Account, hold: Hold) -> None:
        """A charge that VIDEO does not confirm."""
        # An erasure that is under way has deleted some of a generation's events.
        if hold.debited <= self._erased.get(account.name, 0):
            self.erased += 1
            return
        if not hold.requested:
            other = self._requested_by_another(account.name, hold.generation)
            if other is not None:
                message = f"{hold.amount} charged to {account.name}, requested by account {other}"
                self._charge_breach(account, hold, (BreachKind.WRONG_ACCOUNT, message))
            else:
                message = f"{hold.amount} charged without a request"
                self._charge_breach(account, hold, (BreachKind.NOT_ASKED_FOR, message))
        elif hold.outcome == "settled":
            message = "settled, but not completed"
            self._charge_breach(account, hold, (BreachKind.SETTLED_NOT_COMPLETED, message))
        elif hold.outcome == "refunded":
            message = "refunded, but neither failed nor cancelled"
            self._charge_breach(account, hold, (BreachKind.REFUNDED_NOT_FAILED, message))

    def _requested_by_another(self, name: str, generation: str) -> str | None:
        for other, of in self._not_on_ledger:
            if of == generation and other != name:
                return other
        for account in self._replay.accounts.values():
            known = account.holds.get(generation) or account.ended.get(generation)
            if known is not None and known.requested:
                return account.name
        return None

    def _breach(
        self, entry: StoredMessage, kind: BreachKind, message: str, key: tuple[str, str] | None = None
    ) -> None:
        account, generation = key or (None, None)
        self._on_breach(Breach(kind, message, VIDEO, entry.sequence, account, generation))

    def _charge_breach(self, account: Account, hold: Hold, what: tuple[BreachKind, str]) -> None:
        sequence = hold.ended if hold.requested else hold.debited
        breach = Breach(*what, sequence=sequence, account=account.name, generation=hold.generation)
        self._on_breach(breach)


def _body(entry: StoredMessage, key: tuple[str, str]) -> dict[str, Any]:
    """The body, which must name the generation of the subject. Raises UnreadableEntry."""
    body = parse_strict_json(entry.body)
    if type(body) is not dict:
        raise UnreadableEntry("the body is not a JSON object")
    if (body.get("account"), body.get("generation")) != key:
        raise UnreadableEntry(
            "the body is about another generation than the subject", BreachKind.WRONG_SUBJECT
        )
    return body


def _check_type(entry: StoredMessage, wanted: bytes) -> None:
    stated = parse_headers(entry.head).get("ce-type")
    if stated is None or stated.encode() != wanted:
        raise UnreadableEntry(f"its header says {printable(stated)}", BreachKind.WRONG_SUBJECT)


def _time_of(entry: StoredMessage) -> datetime:
    """Time of writing from the header, but not after the time of storage."""
    stored = stored_time(entry.stored_at)
    try:
        return min(stored, parse_time(parse_headers(entry.head).get("ce-time"), "header ce-time"))
    except UnreadableEntry:
        return stored
