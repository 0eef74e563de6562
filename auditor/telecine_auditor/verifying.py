"""The whole audit: LEDGER through books and tree, then VIDEO, then what can only be seen at the end."""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telecine_contracts.signed_note import VerifierKey

from .books import Books
from .breach import Breach, BreachKind
from .checkpoint_reading import SignedCheckpoint, published
from .clocks import Clocks
from .entry import Entry, usual_head
from .reading import time_of_storing
from .saved_state import StartingPoint, write_state
from .screen import Progress
from .source import LEDGER, VIDEO, Source
from .tree_check import TreeCheck
from .videos import Videos

_PART = 250
_NEW_OBJECTS = 20_000_000
"""Some gigabytes of them: so many before the collector looks."""

__all__ = ["Audit", "BreachList", "Terms"]


@dataclass
class BreachList:
    """Breaches as they are found: all are counted, the first `most` are kept."""

    most: int
    count: int = 0
    kinds: Counter[BreachKind] = field(default_factory=Counter)
    kept: list[Breach] = field(default_factory=list)

    def __call__(self, breach: Breach) -> None:
        self.count += 1
        self.kinds[breach.kind] += 1
        if len(self.kept) < self.most:
            self.kept.append(breach)


@dataclass(frozen=True)
class Terms:
    """What an audit judges by.

    `as_of` is the time at which holds and expiries are judged. None: now; for a copy, when its last entry was stored,
    since what came behind is not in it. `checkpoints` are those that the auditor has kept himself.
    """

    keys: Sequence[VerifierKey] = ()
    checkpoints: Sequence[SignedCheckpoint] = ()
    hold_limit: timedelta = timedelta(hours=24)
    in_flight: timedelta = timedelta(minutes=5)
    clocks: Clocks | None = None
    as_of: datetime | None = None
    is_copy: bool = False
    with_video: bool = True
    save: Path | None = None
    quiet: bool = True


class Audit:
    """One audit of one source; `run` once, and read what came of it.

    `known` are all checkpoints that were found, `video` is None where VIDEO was not read, `saved` is the checkpoint at
    which the state was saved.
    """

    def __init__(
        self, source: Source, terms: Terms, found: BreachList, start: StartingPoint | None = None
    ) -> None:
        self.terms = terms
        self.found = found
        self.start = start
        self.books = start.books if start is not None else Books(found, terms.clocks)
        self.tree = TreeCheck((), found)
        self.known: list[SignedCheckpoint] = []
        self.video: Videos | None = None
        self.saved: SignedCheckpoint | None = None
        self.has_video = False
        self.as_of = terms.as_of or datetime.now(UTC)
        self._source = source

    @property
    def started_at(self) -> int:
        """How many entries the audit took over from a saved one."""
        return self.start.checkpoint.checkpoint.size if self.start is not None else 0

    async def run(self) -> None:
        """Read everything once. Raises SourceError, CommandError."""
        # Before the end of LEDGER is asked for: a checkpoint that is signed meanwhile would speak of more.
        self.known = [*await published(self._source, self.terms.keys, self.found), *self.terms.checkpoints]
        self.tree = TreeCheck(
            [one for one in self.known if one.checkpoint.size > self.started_at], self.found
        )
        if self.start is not None:
            self.tree.frontier = self.start.frontier
            self._compare_start(self.start)
        self.has_video = await self._source.has(VIDEO)
        with _seldom_collected():
            await self._read_ledger()
            self.books.finish(self.as_of, self.terms.hold_limit)
            if self.has_video and self.terms.with_video:
                await self._read_video()

    def _compare_start(self, start: StartingPoint) -> None:
        """A checkpoint over the same entries with another root: the log shows different people different ledgers."""
        for one in self.known:
            same_size = one.checkpoint.size == self.started_at
            if same_size and one.checkpoint.root != start.checkpoint.checkpoint.root:
                says = f"checkpoint {one.place} has another root than the one of {start.checkpoint.place}"
                kind = BreachKind.CHECKPOINT_MISMATCH
                self.found(Breach(kind, says, sequence=one.checkpoint.size))

    async def _read_ledger(self) -> None:
        last = await self._source.last(LEDGER)
        stored_at = None
        if self.terms.as_of is None:
            self.as_of = datetime.now(UTC)
        with Progress("verify LEDGER", last - self.started_at, not self.terms.quiet) as progress:
            async for entries in self._source.batches(LEDGER, after=self.started_at, upto=last):
                self._take(entries)
                stored_at = entries[-1].stored_at
                progress.advance(len(entries))
        if self.terms.is_copy and self.terms.as_of is None and stored_at is not None:
            self.as_of = time_of_storing(stored_at)
        self.tree.finish()
        if self.books.sequence < last:
            says = f"the stream ends at {last}, its entries at {self.books.sequence}"
            self.found(Breach(BreachKind.SEQUENCE_GAP, says, sequence=self.books.sequence + 1))

    def _take(self, entries: Sequence[Entry]) -> None:
        """In parts: what one of them reads is still at hand for the other, and a state is saved between two of them."""
        at, save_at = 0, self._save_at()
        while at < len(entries):
            size = self.tree.frontier.size
            until = at + (min(_PART, save_at - size) if save_at > size else _PART)
            part = entries[at:until]
            heads = [usual_head(entry.head) for entry in part]
            self.books.take_all(part, heads)
            self.tree.take(part, heads)
            if self.tree.frontier.size == save_at:
                self._save()
            at = until

    def _save_at(self) -> int:
        """The size of the newest checkpoint that a trusted key signed; 0 where nothing is to be saved."""
        if self.terms.save is None:
            return 0
        return max((one.checkpoint.size for one in self.known if one.signed_by), default=0)

    def _save(self) -> None:
        size = self.tree.frontier.size
        here = [one for one in self.tree.confirmed if one.signed_by and one.checkpoint.size == size]
        if self.terms.save is not None and here and not self.found.count:
            write_state(self.terms.save, self.books, self.tree.frontier, here[0])
            self.saved = here[0]

    async def _read_video(self) -> None:
        self.video = Videos(self.books, self.found, now=self.as_of, in_flight=self.terms.in_flight)
        last = await self._source.last(VIDEO)
        with Progress("verify VIDEO", last, not self.terms.quiet) as progress:
            async for entries in self._source.batches(VIDEO, upto=last):
                self.video.take(entries)
                progress.advance(len(entries))
        self.video.finish()


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Books grow and have no cycles: looking for garbage in them takes a tenth of the audit, and finds none.

    What else there is has few: the collector is only a net below.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
