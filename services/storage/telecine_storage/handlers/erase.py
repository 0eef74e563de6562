"""`storage-erase`: deletes the objects of an erased account."""

import structlog

from telecine_chassis.consumers.reactor import Retry
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.port import EventStore
from telecine_contracts import subjects
from telecine_contracts.erasure import AccountErased
from telecine_storage.bucket.port import Bucket, BucketError
from telecine_storage.transfer.transfer import account_prefix, generation_of

__all__ = ["Erasures", "erase"]

log = structlog.get_logger(__name__)
RETRY_DELAY = 10
"""Seconds until the bucket is asked again after it has failed."""


class Erasures:
    """Says which generations were erased, and deletes their objects."""

    def __init__(self, store: EventStore, bucket: Bucket) -> None:
        self._store = store
        self._bucket = bucket

    async def is_erased(self, account: str, generation: str) -> bool:
        """Whether the generation has no events, or none after the last erasure of its account. Raises StoreError."""
        events = await self._store.load(subjects.video(account, generation), include_undecoded=True)
        erasures = await self._store.load(subjects.video(account, subjects.ACCOUNT), include_undecoded=True)
        last = events[-1].sequence if events else 0
        return not events or bool(erasures and erasures[-1].sequence > last)

    async def erase(self, event: AccountErased) -> None:
        """Delete the objects and unfinished uploads of the account. Raises BucketError, StoreError.

        Videos of later generations stay: an account may be reopened before this event is handled.
        """
        deleted = 0
        for key in await self._bucket.keys(account_prefix(event.account)):
            generation = generation_of(key)
            if generation is None or await self.is_erased(event.account, generation):
                await self.discard(key)
                deleted += 1
        log.info("erase.done", objects=deleted)

    async def discard(self, key: str) -> None:
        """Delete one object and its unfinished uploads. Raises BucketError."""
        await self._bucket.delete(key)
        await self._bucket.abort_leftovers(key)


async def erase(erasures: Erasures, event: AccountErased, cause: Cause) -> None:
    """Deletes the objects of an erased account. Retried until the bucket lets it."""
    try:
        await erasures.erase(event)
    except BucketError as error:
        log.warning("erase.failed", reason=error.reason)
        raise Retry(RETRY_DELAY, f"the bucket failed: {error.reason}") from error
