"""Signs checkpoints of the ledger, every so many entries and every so often, and never one that it can't stand by."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import nats.errors
import structlog
from sqlalchemy.exc import SQLAlchemyError

from telecine_chassis.eventstore.port import AppendRejected, Conflict, StoreError
from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_contracts.signed_note import Checkpoint
from telecine_contracts.transparency import Frontier

from .archiver import Archiving
from .errors import HistoriesDiffer, LedgerCutShort, NoCheckpoint
from .key import Signer
from .log import CheckpointLog, Published
from .tree import LedgerReader
from .tree_store import KeptTree

__all__ = ["Checkpointing", "NoKey", "Pace"]

log = structlog.get_logger(__name__)
LOOK = 1.0
"""Seconds between two looks at the length of the ledger."""
REMIND = timedelta(hours=1)
"""How often a trouble is told that does not go away."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A checkpoint is due after this many new entries, or this long after the last one if there is any new entry."""

    entries: int = 1000
    interval: timedelta = timedelta(hours=1)


class NoKey:
    """Stands where the checkpoints would be in a service that has no key for them."""

    async def start(self) -> None:
        """Say so, once."""
        log.warning("checkpoint.no_key", setting="TELECINE_CHECKPOINT_KEY", detail="no checkpoint is signed")

    async def stop(self) -> None:
        """Nothing was begun."""


class Checkpointing:
    """A part of the service. Several replicas may do this: the stream takes each size once, and sizes only grow.

    Between two looks it holds the tree of the last checkpoint, which agreed with all that was published until then.
    """

    def __init__(
        self,
        signer: Signer,
        ledger: LedgerReader,
        checkpoints: CheckpointLog,
        kept: KeptTree,
        *,
        archives: Sequence[Archiving] = (),
        pace: Pace,
        clock: Callable[[], datetime],
    ) -> None:
        self._signer = signer
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._kept = kept
        self._archives = archives
        self._pace = pace
        self._clock = clock
        self._tree: Frontier | None = None
        self._published: Published | None = None
        self._told: tuple[str, datetime] | None = None
        self._length = 0
        self._refused = False
        self._task: asyncio.Task[None] | None = None

    @property
    def newest(self) -> Published | None:
        """The newest checkpoint, as of the last look."""
        return self._published

    @property
    def unsigned(self) -> int:
        """Entries that no checkpoint covers yet, as of the last look."""
        return self._length - (self._published.checkpoint.size if self._published else 0)

    @property
    def refused(self) -> bool:
        """Whether the last look found that nothing may be signed."""
        return self._refused

    async def start(self) -> None:
        """Begin to look, in the background: an archive or a checkpoint in doubt keeps no service from working."""
        self._task = start_background_task(self._run(), name="checkpoints")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def look(self) -> Published | None:
        """One look: sign and publish a checkpoint if one is due. The one that this very look published.

        Raises NoCheckpoint when nothing may be signed; StoreError, nats' or SQLAlchemy's errors when it could not
        be found out.
        """
        published = await self._checkpoints.last()
        self._length = length = await self._ledger.length()
        tree = await self._agreed(published, length)
        await self._settle(tree, published)
        return await self._sign(tree, length) if self._is_due(length) else None

    async def turn(self) -> None:
        """One look that raises nothing: what is wrong goes to the log."""
        try:
            await self.look()
            self._told, self._refused = None, False
        except (NoCheckpoint, AppendRejected) as refusal:
            self._refused = True
            self._tell(log.error, "checkpoint.refused", refusal)
        except (StoreError, nats.errors.Error, TimeoutError, OSError, SQLAlchemyError) as error:
            self._tell(log.warning, "checkpoint.put_off", error)
        except Exception as error:
            self._tell(log.exception, "checkpoint.failed", error)

    async def _agreed(self, published: Published | None, length: int) -> Frontier:
        """The tree of what was signed, after it was found to be that of the stream as it is now."""
        tree, claims = self._tree, dict[int, bytes]()
        if tree is None:
            tree = await self._kept.load()
            if (
                published is None or tree.size > published.checkpoint.size
            ):  # a checkpoint was lost: look at both
                tree, claims = Frontier(), {tree.size: tree.root()}
        if published is not None and published != self._published:
            claims[published.checkpoint.size] = published.checkpoint.root
        for size in sorted(claims):
            tree = await self._confirmed(tree, size, claims[size], length)
        if length < tree.size:
            raise LedgerCutShort(f"the ledger has {length} entries, but {tree.size} were signed")
        return tree

    async def _confirmed(self, tree: Frontier, size: int, root: bytes, length: int) -> Frontier:
        """The tree of the first `size` entries, if its root is the one that was signed."""
        if size > length:
            raise LedgerCutShort(f"the ledger has {length} entries, but {size} were signed")
        grown = await self._ledger.grown(tree if tree.size <= size else Frontier(), size)
        if grown.root() != root:
            raise HistoriesDiffer(f"the first {size} entries are not those that were signed")
        return grown

    async def _settle(self, tree: Frontier, published: Published | None) -> None:
        is_news = self._tree is None or tree.size > self._tree.size
        self._tree, self._published = tree, published
        if published is not None:
            for archive in self._archives:
                archive.offer(published.checkpoint.size, published.note)
        if is_news:
            try:
                await self._kept.keep(tree)
            except SQLAlchemyError as error:  # the next start reads more of the ledger, no harm else
                log.warning("checkpoint.not_kept", error=type(error).__name__)

    def _is_due(self, length: int) -> bool:
        last = self._published
        if last is None:
            return length > 0
        new = length - last.checkpoint.size
        # A last one from the future, of a clock that was wrong, must not keep the next ones waiting until then.
        waited = abs(self._clock() - last.at) >= self._pace.interval
        return new >= self._pace.entries or (new > 0 and waited)

    async def _sign(self, tree: Frontier, length: int) -> Published | None:
        tree = await self._ledger.grown(tree, length)
        checkpoint = Checkpoint(self._signer.name, tree.size, tree.root())
        note = self._signer.sign(checkpoint)
        try:
            published = await self._checkpoints.publish(checkpoint, note, behind=self._published)
        except (
            Conflict
        ):  # another replica's came first, or our own of a try without an answer: seen at the next look
            return None
        await self._settle(tree, published)
        log.info("checkpoint.signed", size=tree.size, root=tree.root().hex())
        return published

    async def _run(self) -> None:
        while True:
            await self.turn()
            raise_if_cancelled()
            await asyncio.sleep(LOOK)

    def _tell(self, tell: Callable[..., object], event: str, error: Exception) -> None:
        """Log a trouble once, and again after a while, not at every look."""
        told, now = f"{type(error).__name__}: {error}", self._clock()
        if self._told is None or self._told[0] != told or now - self._told[1] >= REMIND:
            self._told = (told, now)
            tell(event, error=told)
