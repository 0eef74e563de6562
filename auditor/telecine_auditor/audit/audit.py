"""The audit: replays LEDGER, computes its Merkle tree, then checks VIDEO against it."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telecine_auditor.breaches import Breach, BreachKind, BreachList
from telecine_auditor.errors import SourceError
from telecine_auditor.ledger.clock_skew import ClockSkew
from telecine_auditor.ledger.event_parser import stored_time
from telecine_auditor.ledger.price_tables import read_price_tables
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.ledger.rules.closing_checks import EXPIRY_DELAY
from telecine_auditor.sources.message import StoredMessage, parse_canonical_headers
from telecine_auditor.sources.port import CHECKPOINTS, LEDGER, VIDEO, Source
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.transparency.checkpoint_coverage import UnsignedLimits, missing_checkpoints
from telecine_auditor.transparency.checkpoints import PublishedCheckpoints, SignedCheckpoint, read_published
from telecine_auditor.transparency.tree_check import TreeCheck
from telecine_contracts.signed_note import VerifierKey

from .snapshot import Snapshot, write_snapshot
from .video_checks import VideoChecks

_BATCH = 250
_NEW_OBJECTS = 20_000_000
"""Threshold of the garbage collector during an audit; this many objects take gigabytes."""

__all__ = ["Audit", "AuditOptions"]


@dataclass(frozen=True)
class AuditOptions:
    """Options of an audit.

    `as_of` is the time at which holds and expiries are checked; None: now, for a copy the time of its last entry, since
    later entries are not in it. `checkpoints` are copies that the auditor has kept.
    """

    keys: Sequence[VerifierKey] = ()
    checkpoints: Sequence[SignedCheckpoint] = ()
    hold_limit: timedelta = timedelta(hours=24)
    in_flight: timedelta = timedelta(minutes=5)
    expiry_delay: timedelta = EXPIRY_DELAY
    max_unsigned: UnsignedLimits = field(default_factory=UnsignedLimits)
    clocks: ClockSkew | None = None
    as_of: datetime | None = None
    is_copy: bool = False
    with_video: bool = True
    save: Path | None = None
    quiet: bool = True


class Audit:
    """One audit of one source: call `run` once, then read the results.

    `known` are all checkpoints that were found, `signed` is the size of the largest one that a trusted key signed.
    `video` is None if VIDEO was not read. `saved` is the checkpoint of the snapshot that was written. `notices` are
    sentences for the report that are not breaches. `start` is the snapshot that the audit resumes from; None without
    one, or if the source does not hold the entries that the snapshot covers.
    """

    def __init__(
        self, source: Source, options: AuditOptions, found: BreachList, start: Snapshot | None = None
    ) -> None:
        self.options = options
        self.found = found
        self.start = start
        self.notices: list[str] = []
        self.replay = start.replay if start is not None else LedgerReplay(found, options.clocks)
        self.tree = TreeCheck((), found)
        self.known: list[SignedCheckpoint] = []
        self.video: VideoChecks | None = None
        self.saved: SignedCheckpoint | None = None
        self.has_video = False
        self.as_of = options.as_of or datetime.now(UTC)
        self._source = source
        self.signed = 0
        self._stored_at: int | None = None
        self._first_unsigned: tuple[int, int] | None = None

    @property
    def unread(self) -> Sequence[str]:
        """Descriptions of data in the source that is not an entry."""
        return self._source.unread

    @property
    def started_at(self) -> int:
        """Number of entries that the snapshot covers."""
        return self.start.checkpoint.checkpoint.size if self.start is not None else 0

    async def run(self) -> None:
        """Read all streams; LEDGER twice if the snapshot is not of this ledger. Raises SourceError, CommandError."""
        # Checkpoints are read before the end of LEDGER: one that is signed in between would cover entries beyond it.
        published = await self._published()
        start = [self.start.checkpoint] if self.start is not None else []
        self.known = [*published.checkpoints, *self.options.checkpoints, *start]
        self.signed = max((one.checkpoint.size for one in self.known if one.signed_by), default=0)
        self.has_video = self.options.with_video and await self._has(VIDEO)
        last = await self._source.last(LEDGER)
        if self.options.as_of is None:
            self.as_of = datetime.now(UTC)
        with _reduced_gc(), Progress("verify LEDGER", last, not self.options.quiet) as progress:
            if self.start is not None and not await self._begin_with(self.start, last, progress):
                self.start, self.replay = None, LedgerReplay(self.found, self.options.clocks)
            if self.start is None:
                self.tree = TreeCheck(self.known, self.found)
            self.replay.deviations = []
            self.replay.prices = await read_price_tables(self._source)
            await self._read_ledger(last, progress)
        self.found.excuse(self.replay.skipped)
        self.notices += self.replay.skipped.values()
        self.replay.finish(self.as_of, self.options.hold_limit, self.options.expiry_delay)
        self._judge_checkpoints(published)
        if self.has_video:
            await self._read_video()

    async def _published(self) -> PublishedCheckpoints:
        await self._has(CHECKPOINTS)
        return await read_published(self._source, self.options.keys, self.found)

    async def _has(self, stream: str) -> bool:
        """Whether a copy has the stream. Raises SourceError for a server without it."""
        if await self._source.has(stream):
            return True
        if self.options.is_copy:
            return False
        more = "; --ledger-only leaves it out" if stream == VIDEO else ""
        raise SourceError(f"the server has no stream {stream}: `telecine provision` makes it{more}")

    async def _begin_with(self, start: Snapshot, last: int, progress: Progress) -> bool:
        """Read the entries that the snapshot covers, without the rules. Whether they still have the same root."""
        size, suspected = start.checkpoint.checkpoint.size, list[Breach]()
        self.tree = TreeCheck(self.known, suspected.append)
        async for entries in self._source.batches(LEDGER, upto=min(size, last)):
            heads = [parse_canonical_headers(entry.head) for entry in entries]
            self.tree.take(entries, heads)
            start.replay.register_ids(entries, heads)
            self._note(entries)
            progress.advance(len(entries))
        if start.checkpoint not in self.tree.confirmed or self.tree.frontier.size != size:
            return False
        for breach in suspected:
            self.found(breach)
        self.tree.on_breach = self.found
        return True

    async def _read_ledger(self, last: int, progress: Progress) -> None:
        async for entries in self._source.batches(LEDGER, after=self.started_at, upto=last):
            self._take(entries)
            progress.advance(len(entries))
        if self.options.is_copy and self.options.as_of is None and self._stored_at is not None:
            self.as_of = stored_time(self._stored_at)
        self.tree.finish()
        if self.replay.sequence < last:
            message = f"the stream ends at {last}, its entries at {self.replay.sequence}"
            self.found(Breach(BreachKind.SEQUENCE_GAP, message, sequence=self.replay.sequence + 1))

    def _judge_checkpoints(self, published: PublishedCheckpoints) -> None:
        """Checks that need a key: missing checkpoints and unsigned entries."""
        options, size = self.options, self.tree.frontier.size
        if not options.keys:
            return
        kept = [one for one in self.known if one not in published.checkpoints]
        for breach in missing_checkpoints(published, kept, size):
            self.found(breach)
        if self._first_unsigned is not None and published.checkpoints:
            count = size - self.signed
            for breach in options.max_unsigned.exceeded(count, self._first_unsigned, self.as_of):
                self.found(breach)

    def _take(self, entries: Sequence[StoredMessage]) -> None:
        """Replay and hash the entries in small batches, and write the snapshot between two of them."""
        # A small batch is still in the processor's cache when the tree reads it.
        at, save_at = 0, self._save_at()
        while at < len(entries):
            size = self.tree.frontier.size
            until = at + (min(_BATCH, save_at - size) if save_at > size else _BATCH)
            part = entries[at:until]
            heads = [parse_canonical_headers(entry.head) for entry in part]
            self.replay.take_all(part, heads)
            self.tree.take(part, heads)
            if self.tree.frontier.size == save_at:
                self._save()
            at = until
        self._note(entries)

    def _note(self, entries: Sequence[StoredMessage]) -> None:
        """Note the last time of storage, and the first entry without a signed checkpoint."""
        self._stored_at = entries[-1].stored_at
        if self._first_unsigned is None and entries[-1].sequence > self.signed:
            first = next(entry for entry in entries if entry.sequence > self.signed)
            self._first_unsigned = first.sequence, first.stored_at

    def _save_at(self) -> int:
        """Size of the newest checkpoint that a trusted key signed; 0 if no snapshot is to be written."""
        return self.signed if self.options.save is not None else 0

    def _save(self) -> None:
        size = self.tree.frontier.size
        here = [one for one in self.tree.confirmed if one.signed_by and one.checkpoint.size == size]
        self.found.excuse(self.replay.skipped)
        if self.options.save is not None and here and not self.found.count:
            write_snapshot(self.options.save, self.replay, self.tree.frontier, here[0])
            self.saved = here[0]

    async def _read_video(self) -> None:
        self.video = VideoChecks(self.replay, self.found, now=self.as_of, in_flight=self.options.in_flight)
        last = await self._source.last(VIDEO)
        with Progress("verify VIDEO", last, not self.options.quiet) as progress:
            async for entries in self._source.batches(VIDEO, upto=last):
                self.video.take(entries)
                progress.advance(len(entries))
        self.video.finish()


@contextmanager
def _reduced_gc() -> Iterator[None]:
    """Raise the threshold of the garbage collector."""
    # Accounts grow and have no reference cycles: at the default threshold, searching them for garbage takes a tenth of
    # the audit and finds none. The rest of the audit makes few objects.
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
