"""Checks that the log publishes checkpoints: none is missing, and recent entries are covered in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.event_parser import stored_time
from telecine_auditor.sources.port import CHECKPOINTS

from .checkpoints import PublishedCheckpoints, SignedCheckpoint

__all__ = ["UnsignedLimits", "missing_checkpoints"]


@dataclass(frozen=True, slots=True)
class UnsignedLimits:
    """Limits for entries without a signed checkpoint: their number and age. None: no limit."""

    entries: int | None = None
    age: timedelta | None = timedelta(hours=24)

    def exceeded(self, count: int, first: tuple[int, int], as_of: datetime) -> Iterator[Breach]:
        """The breach, if `count` entries are unsigned; `first`: the first one's sequence and when it was stored."""
        sequence, stored_at = first
        age = as_of - stored_time(stored_at)
        if self.entries is not None and count > self.entries:
            limit = f"more than {self.entries} may be"
        elif self.age is not None and age > self.age:
            limit = f"the first of them for {age}, longer than {self.age}"
        else:
            return
        message = f"no signed checkpoint covers the last {count} entries, {limit}"
        yield Breach(BreachKind.UNSIGNED_TOO_LONG, message, sequence=sequence)


def missing_checkpoints(
    published: PublishedCheckpoints, kept: Sequence[SignedCheckpoint], entries: int
) -> Iterator[Breach]:
    """A ledger without any checkpoint; or with older ones than `kept`, those that the auditor has from elsewhere.

    Credits signs a first checkpoint within seconds of the first entry, and publishes each before it is kept elsewhere.
    """
    if not published.checkpoints:
        if entries and not published.refused:
            yield _missing(f"no signed checkpoint is published, and LEDGER has {entries} entries")
        return
    newest = max(one.checkpoint.size for one in published.checkpoints)
    known = max(kept, key=lambda one: one.checkpoint.size, default=None)
    if known is not None and newest < known.checkpoint.size <= entries:
        yield _missing(
            f"the newest published checkpoint is over {newest} entries, {known.place} over {known.checkpoint.size}:"
            " newer ones were taken away"
        )


def _missing(message: str) -> Breach:
    return Breach(BreachKind.CHECKPOINT_MISSING, message, stream=CHECKPOINTS)
