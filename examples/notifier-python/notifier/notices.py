"""What a reader of the notices wants to know about an event. Pure."""

from typing import TypedDict

from telecine_contracts import Envelope, Event
from telecine_contracts.generation import GenerationCancelled, GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored

ENDS: tuple[type[Event], ...] = (VideoStored, VideoStorageFailed, GenerationFailed, GenerationCancelled)
"""The events with which a generation ends."""


class Notice(TypedDict):
    """One line of the file. `sequence` is the event's place in its stream: it only ever grows."""

    sequence: int
    event: str
    time: str
    account: str
    generation: str
    outcome: str
    what: str


def notice(event: Event, envelope: Envelope, sequence: int) -> Notice:
    """The line for one of ENDS. Raises TypeError for any other event."""
    outcome, what = _outcome(event)
    return {
        "sequence": sequence,
        "event": envelope.id,
        "time": envelope.time.isoformat(),
        "account": event.about["account"],
        "generation": event.about["generation"],
        "outcome": outcome,
        "what": what,
    }


def _outcome(event: Event) -> tuple[str, str]:
    match event:
        case VideoStored():
            return "completed", event.key
        case VideoStorageFailed(stopgap_url=str(url)):
            return "completed", url
        case VideoStorageFailed():
            return "failed", event.message
        case GenerationFailed():
            return "failed", event.message
        case GenerationCancelled():
            return "cancelled", "cancelled by the user"
        case _:
            raise TypeError(f"{event.type} does not end a generation")
