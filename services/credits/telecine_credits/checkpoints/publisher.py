"""Signs checkpoints of the ledger on a schedule, after verifying that the ledger contains what was signed before."""

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

from .archiver import CheckpointArchiver
from .errors import CheckpointRefused, HistoryMismatch, LedgerTruncated
from .key import Signer
from .log import CheckpointLog, PublishedCheckpoint
from .tree import LedgerReader
from .tree_store import TreeStore

__all__ = ["CheckpointPublisher", "CheckpointSchedule", "CheckpointsDisabled"]

log = structlog.get_logger(__name__)
POLL_INTERVAL = 1.0
"""Seconds between two checks of the ledger's length."""
REMINDER_INTERVAL = timedelta(hours=1)
"""How often a lasting problem is logged."""


@dataclass(frozen=True, slots=True)
class CheckpointSchedule:
    """A checkpoint is due after this many new entries, or this long after the last one if there is a new entry."""

    entries: int = 1000
    interval: timedelta = timedelta(hours=1)


class CheckpointsDisabled:
    """Replaces the publisher in a service without a signing key."""

    async def start(self) -> None:
        """Log the missing key once."""
        log.warning("checkpoint.no_key", setting="TELECINE_CHECKPOINT_KEY", detail="no checkpoint is signed")

    async def stop(self) -> None:
        """Nothing to stop."""


class CheckpointPublisher:
    """Background component. Several replicas may run it: the stream accepts each size once, and sizes only grow.

    Between two runs it holds the tree of the last checkpoint, verified against all checkpoints published so far.
    """

    def __init__(
        self,
        signer: Signer,
        ledger: LedgerReader,
        checkpoints: CheckpointLog,
        tree_store: TreeStore,
        *,
        archives: Sequence[CheckpointArchiver] = (),
        schedule: CheckpointSchedule,
        clock: Callable[[], datetime],
    ) -> None:
        self._signer = signer
        self._ledger = ledger
        self._checkpoints = checkpoints
        self._tree_store = tree_store
        self._archives = archives
        self._schedule = schedule
        self._clock = clock
        self._tree: Frontier | None = None
        self._published: PublishedCheckpoint | None = None
        self._logged: tuple[str, datetime] | None = None
        self._length = 0
        self._refused = False
        self._task: asyncio.Task[None] | None = None

    @property
    def newest(self) -> PublishedCheckpoint | None:
        """The newest checkpoint, as of the last run."""
        return self._published

    @property
    def unsigned(self) -> int:
        """Entries that no checkpoint covers yet, as of the last run."""
        return self._length - (self._published.checkpoint.size if self._published else 0)

    @property
    def refused(self) -> bool:
        """Whether the last run found that nothing may be signed."""
        return self._refused

    async def start(self) -> None:
        """Start in the background: a refused checkpoint or an unavailable archive does not stop the service."""
        self._task = start_background_task(self._run(), name="checkpoints")

    async def stop(self) -> None:
        """Stop the background task."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def publish_if_due(self) -> PublishedCheckpoint | None:
        """Sign and publish a checkpoint if one is due; returns it, or None.

        Raises CheckpointRefused if nothing may be signed; StoreError or an error of nats or SQLAlchemy if that could
        not be determined.
        """
        published = await self._checkpoints.last()
        self._length = length = await self._ledger.length()
        tree = await self._verified_tree(published, length)
        await self._record(tree, published)
        return await self._sign(tree, length) if self._is_due(length) else None

    async def run_once(self) -> None:
        """Like publish_if_due, but errors are logged instead of raised."""
        try:
            await self.publish_if_due()
            self._logged, self._refused = None, False
        except (CheckpointRefused, AppendRejected) as refusal:
            self._refused = True
            self._log_once(log.error, "checkpoint.refused", refusal)
        except (StoreError, nats.errors.Error, TimeoutError, OSError, SQLAlchemyError) as error:
            self._log_once(log.warning, "checkpoint.put_off", error)
        except Exception as error:
            self._log_once(log.exception, "checkpoint.failed", error)

    async def _verified_tree(self, published: PublishedCheckpoint | None, length: int) -> Frontier:
        """The tree of the last checkpoint, verified against the stream as it is now."""
        tree, claims = self._tree, dict[int, bytes]()
        if tree is None:
            tree = await self._tree_store.load()
            if published is None or tree.size > published.checkpoint.size:
                # The last checkpoint was lost from the stream: verify the stored tree as well.
                tree, claims = Frontier(), {tree.size: tree.root()}
        if published is not None and published != self._published:
            claims[published.checkpoint.size] = published.checkpoint.root
        for size in sorted(claims):
            tree = await self._verify_root(tree, size, claims[size], length)
        if length < tree.size:
            raise LedgerTruncated(f"the ledger has {length} entries, but {tree.size} were signed")
        return tree

    async def _verify_root(self, tree: Frontier, size: int, root: bytes, length: int) -> Frontier:
        """The tree of the first `size` entries. Raises HistoryMismatch if its root is not the one that was signed."""
        if size > length:
            raise LedgerTruncated(f"the ledger has {length} entries, but {size} were signed")
        extended = await self._ledger.extend(tree if tree.size <= size else Frontier(), size)
        if extended.root() != root:
            raise HistoryMismatch(f"the first {size} entries differ from those that were signed")
        return extended

    async def _record(self, tree: Frontier, published: PublishedCheckpoint | None) -> None:
        is_new = self._tree is None or tree.size > self._tree.size
        self._tree, self._published = tree, published
        if published is not None:
            for archive in self._archives:
                archive.offer(published.checkpoint.size, published.note)
        if is_new:
            try:
                await self._tree_store.keep(tree)
            except SQLAlchemyError as error:  # the next start reads more of the ledger
                log.warning("checkpoint.not_kept", error=type(error).__name__)

    def _is_due(self, length: int) -> bool:
        last = self._published
        if last is None:
            return length > 0
        new = length - last.checkpoint.size
        # abs: a last checkpoint in the future, from a wrong clock, must not delay the next ones until then.
        waited = abs(self._clock() - last.at) >= self._schedule.interval
        return new >= self._schedule.entries or (new > 0 and waited)

    async def _sign(self, tree: Frontier, length: int) -> PublishedCheckpoint | None:
        tree = await self._ledger.extend(tree, length)
        checkpoint = Checkpoint(self._signer.name, tree.size, tree.root())
        note = self._signer.sign(checkpoint)
        try:
            published = await self._checkpoints.publish(checkpoint, note, previous=self._published)
        except Conflict:
            # Another replica was first, or an earlier attempt without an answer succeeded: the next run reads it.
            return None
        await self._record(tree, published)
        log.info("checkpoint.signed", size=tree.size, root=tree.root().hex())
        return published

    async def _run(self) -> None:
        while True:
            await self.run_once()
            raise_if_cancelled()
            await asyncio.sleep(POLL_INTERVAL)

    def _log_once(self, write: Callable[..., object], event: str, error: Exception) -> None:
        """Log a problem when it is new, and again after REMINDER_INTERVAL."""
        text, now = f"{type(error).__name__}: {error}", self._clock()
        if self._logged is None or self._logged[0] != text or now - self._logged[1] >= REMINDER_INTERVAL:
            self._logged = (text, now)
            write(event, error=text)
