"""Projection of pending copies, and of stored videos that can be copied again."""

from sqlmodel import Session

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import VIDEO

from .tables import PendingCopyRow, StoredVideoRow


def apply(session: Session, recorded: RecordedEvent) -> None:
    """A video is pending from VideoReady until it is stored or storing it fails permanently."""
    match recorded.event:
        case VideoReady() as event:
            session.merge(
                PendingCopyRow(
                    generation=event.generation,
                    account=event.account,
                    traceparent=recorded.envelope.traceparent,
                    url_expires_at=event.url_expires_at,
                )
            )
        case VideoStored() as event:
            pending = session.get(PendingCopyRow, event.generation)
            if pending is not None:
                session.merge(_stored(event, pending))
                session.delete(pending)
        case VideoStorageFailed() as event:
            pending = session.get(PendingCopyRow, event.generation)
            if pending is not None:
                session.delete(pending)
        case _:
            pass


def _stored(event: VideoStored, pending: PendingCopyRow) -> StoredVideoRow:
    return StoredVideoRow(
        generation=event.generation,
        account=event.account,
        bucket=event.bucket,
        key=event.key,
        bytes=event.bytes,
        url_expires_at=pending.url_expires_at,
    )


EVENTS = (VideoReady, VideoStored, VideoStorageFailed)
PROJECTIONS = (Projection("pending_copies", VIDEO, apply, EVENTS, linger=0.25),)
