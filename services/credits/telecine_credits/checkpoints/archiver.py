"""Stores the newest checkpoint in an archive, in the background, and retries until it is stored."""

import asyncio
from contextlib import suppress

import structlog

from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_credits.archive.port import ArchiveUnavailable, CheckpointArchive, ConflictingNote

__all__ = ["CheckpointArchiver"]

log = structlog.get_logger(__name__)


class CheckpointArchiver:
    """Background component: a slow or unavailable archive delays neither signing nor the service.

    `retry`: seconds before an unavailable archive is tried again. `again`: seconds after which a stored checkpoint is
    stored again, in case the archive lost it.
    """

    def __init__(self, archive: CheckpointArchive, *, retry: float = 60, again: float = 3600) -> None:
        self._archive = archive
        self._retry = retry
        self._again = again
        self._newest: tuple[int, str] | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def offer(self, size: int, note: str) -> None:
        """Store this checkpoint soon, instead of an earlier one that is not stored yet."""
        if self._newest != (size, note):
            self._newest = (size, note)
            self._news.set()

    async def start(self) -> None:
        """Start storing what is offered."""
        self._task = start_background_task(self._run(), name="checkpoint archive")

    async def stop(self) -> None:
        """Stop at once: what is not stored yet is offered again after the next start."""
        if self._task is not None:
            await cancel_and_wait(self._task)
        await self._archive.aclose()

    async def _run(self) -> None:
        pause: float | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()
            raise_if_cancelled()
            self._news.clear()
            if self._newest is not None:
                pause = self._again if await self._keep(*self._newest) else self._retry

    async def _keep(self, size: int, note: str) -> bool:
        """Store a checkpoint; False if it should be retried soon."""
        place = self._archive.place
        try:
            await self._archive.keep(size, note)
        except ArchiveUnavailable as error:
            log.warning("checkpoint.archive_unavailable", place=place, size=size, error=str(error))
            return False
        except ConflictingNote as error:
            log.error("checkpoint.archive_differs", place=place, size=size, error=str(error))
            return True
        except Exception:
            log.exception("checkpoint.archive_failed", place=place, size=size)
            return False
        log.debug("checkpoint.archived", place=place, size=size)
        return True
