"""The projection of copies that are owed, for the sweeper that sets timers which were lost."""

from sqlmodel import Session

from telecine_chassis.projection import Projection
from telecine_chassis.store import Recorded
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import VIDEO

from .tables import PendingCopy


def apply(session: Session, recorded: Recorded) -> None:
    """A video comes in when it is ready and goes when it is stored or given up."""
    match recorded.event:
        case VideoReady() as event:
            session.merge(
                PendingCopy(
                    generation=event.generation,
                    account=event.account,
                    traceparent=recorded.envelope.traceparent,
                )
            )
        case VideoStored() | VideoStorageFailed() as event:
            row = session.get(PendingCopy, event.generation)
            if row is not None:
                session.delete(row)
        case _:
            pass


EVENTS = (VideoReady, VideoStored, VideoStorageFailed)
PROJECTIONS = (Projection("pending_copies", VIDEO, apply, EVENTS, linger=0.25),)
