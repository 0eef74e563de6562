"""Projection of pending copies, and of stored videos that can be copied again."""

from collections.abc import Iterator

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.erasure import AccountErased
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import VIDEO

from .tables import PendingCopyRow, StoredVideoRow


def keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The generation's rows."""
    match recorded.event:
        case VideoReady() | VideoStorageFailed() as event:
            yield PendingCopyRow, event.generation
        case VideoStored() as event:
            yield PendingCopyRow, event.generation
            yield StoredVideoRow, event.generation
        case _:
            pass


def apply(rows: Rows, recorded: RecordedEvent) -> None:
    """A video is pending from VideoReady until it is stored or storing it fails permanently."""
    match recorded.event:
        case VideoReady() as event:
            pending = new_row(
                PendingCopyRow,
                generation=event.generation,
                account=event.account,
                traceparent=recorded.envelope.traceparent,
                url_expires_at=event.url_expires_at,
            )
            rows.put(PendingCopyRow, pending)
        case VideoStored() as event:
            copied = rows.get(PendingCopyRow, event.generation)
            if copied is not None:
                rows.put(StoredVideoRow, _stored(event, copied))
                rows.delete(PendingCopyRow, copied)
        case VideoStorageFailed() as event:
            failed = rows.get(PendingCopyRow, event.generation)
            if failed is not None:
                rows.delete(PendingCopyRow, failed)
        case AccountErased() as event:
            rows.erase(PendingCopyRow, account=event.account)
            rows.erase(StoredVideoRow, account=event.account)
        case _:
            pass


def _stored(event: VideoStored, pending: PendingCopyRow) -> StoredVideoRow:
    return new_row(
        StoredVideoRow,
        generation=event.generation,
        account=event.account,
        bucket=event.bucket,
        key=event.key,
        bytes=event.bytes,
        url_expires_at=pending.url_expires_at,
    )


EVENTS = (VideoReady, VideoStored, VideoStorageFailed, AccountErased)
PROJECTIONS = (Projection("pending_copies", VIDEO, apply, keys, EVENTS, interval=1),)
