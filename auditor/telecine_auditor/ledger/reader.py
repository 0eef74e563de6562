"""Reads and replays the ledger up to a sequence or a time, for reports."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from telecine_auditor.breaches import Breach, BreachKind, BreachList
from telecine_auditor.errors import CommandError
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import LEDGER, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.timestamps import BookingClock, format_time

from .price_tables import read_price_tables
from .replay import LedgerReplay, ParsedEvent

__all__ = ["BookedEntry", "LedgerReader"]

_SHOWN = 10


class BookedEntry(NamedTuple):
    """An entry, its parsed event (None: unreadable), and its booking time in its account."""

    entry: StoredMessage
    parsed: ParsedEvent | None
    at: datetime


@dataclass
class LedgerReader:
    """One pass over the ledger, up to `sequence`, or up to the entries booked before `until` in every account.

    Booking times of an account never go back; accounts are independent of each other. `at` is the latest booking time,
    None before the first entry.
    """

    source: Source
    until: datetime | None = None
    sequence: int | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        self._list = BreachList(_SHOWN)
        self.replay = LedgerReplay(self._take_breach)
        self._clocks: dict[str, BookingClock] = {}

    @property
    def found(self) -> int:
        """Number of breaches, without messages that a decision skips."""
        self._list.excuse(self.replay.skipped)
        return self._list.count

    @property
    def breaches(self) -> list[Breach]:
        """The first breaches."""
        return self._list.kept

    def has_entry_of(self, account: str) -> bool:
        """Whether an entry of the account was read, be it before or after the point."""
        return account in self._clocks

    async def entries(self) -> AsyncIterator[BookedEntry]:
        """Every entry of the pass, after the replay has applied it. Raises CommandError, SourceError."""
        last = await self.source.last(LEDGER)
        if self.sequence is not None and self.sequence > last:
            raise CommandError(f"there is no entry {self.sequence}: LEDGER ends at {last}")
        upto = last if self.sequence is None else self.sequence
        self.replay.prices = await read_price_tables(self.source)
        read = 0
        with Progress("reading LEDGER", upto) as progress:
            async for batch in self.source.batches(LEDGER, upto=upto):
                for entry in batch:
                    self._miss(read + 1, entry.sequence - 1)
                    read = entry.sequence
                    if (booked := self._take(entry)) is not None:
                        yield booked
                progress.advance(len(batch))
        self._miss(read + 1, upto)

    async def read_all(self) -> LedgerReplay:
        """The replay at the end of the pass. Raises CommandError, SourceError."""
        async for _ in self.entries():
            pass
        return self.replay

    def place(self) -> dict[str, Any]:
        """The last entry, its booking time, and the number of breaches, as JSON."""
        return {
            "stream": LEDGER,
            "sequence": self.replay.sequence,
            "booked": format_time(self.at) if self.at else None,
            "breaches": self.found,
            "not_checked": self.not_checked(),
        }

    def not_checked(self) -> list[str]:
        """What the figures of a report leave out."""
        missing = ["signed checkpoints and VIDEO: `telecine-audit verify` compares the ledger with them"]
        if self.sequence is not None:
            missing.append(f"entries after LEDGER#{self.sequence}")
        elif self.until is not None:
            missing.append(f"entries booked at {format_time(self.until)} or later")
        return missing + list(self.source.unread)

    def footer(self) -> list[str]:
        """The same, as the last lines of a text report."""
        return ["", "Not checked:", *(f"  - {what}" for what in self.not_checked())]

    def describe_position(self) -> str:
        """The end of the pass, as text."""
        if self.at is None:
            return "before the first entry of LEDGER"
        return f"after LEDGER#{self.replay.sequence}, booked by {format_time(self.at)}"

    def verdict(self) -> int:
        """The exit code. Breaches are written to stderr, because the report may then be wrong."""
        if not self.found:
            return CLEAN
        told = "".join(f"\n  {one_line(str(breach))}" for breach in self.breaches)
        more = f"\n  and {self.found - len(self.breaches)} more" if self.found > len(self.breaches) else ""
        # stdout has the report, possibly as JSON or CSV for a program.
        sys.stderr.write(
            f"{self.found} breach{'es' if self.found > 1 else ''} found; these figures may be"
            f" wrong; run `telecine-audit verify` for all of them:{told}{more}\n"
        )
        return BREACH

    def _take(self, entry: StoredMessage) -> BookedEntry | None:
        clock = self._clock(entry.subject)
        if self.until is not None:
            # The replay cannot take an entry back, so its time is read before it is applied.
            at = clock.book(_time_of(entry))
            if at >= self.until:
                return None
            parsed = self.replay.take(entry)
        else:
            parsed = self.replay.take(entry)
            at = clock.book(parsed.decided_at if parsed else None)
        self.at = max(at, self.at or at)
        return BookedEntry(entry, parsed, at)

    def _clock(self, subject: str) -> BookingClock:
        account = subject.split(".", 2)[1:2]
        return self._clocks.setdefault(account[0] if account else "", BookingClock())

    def _take_breach(self, breach: Breach) -> None:
        if breach.kind is BreachKind.SEQUENCE_GAP:
            # The replay does not see entries that are left out here; `_miss` reports gaps of the stream.
            return
        if breach.kind is BreachKind.WRONG_TIME:
            # No figure depends on it, and only `verify` has options for clock skew.
            return
        self._list(breach)

    def _miss(self, first: int, last: int) -> None:
        if first <= last:
            missing = f"{first} to {last}" if last > first else str(first)
            message = f"sequence {missing} of the stream is missing"
            self._list(Breach(BreachKind.SEQUENCE_GAP, message, sequence=first))


def _time_of(entry: StoredMessage) -> datetime | None:
    """Time of the decision (before 0.2: of writing), before the replay parses the entry."""
    try:
        stated = json.loads(entry.body).get("decided_at") or entry.header("ce-time")
        time = datetime.fromisoformat(str(stated))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return time if time.tzinfo else None
