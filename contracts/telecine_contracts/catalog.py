"""Every event there is. Beside the examples, the only module that imports all message modules."""

from .access import ApiKeyCreated, ApiKeyRevoked
from .credits import CreditsDebited, CreditsDenied, CreditsGranted, CreditsRefunded, CreditsSettled
from .gateway import CancelRequested, GenerationRequested
from .generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)
from .message import Event
from .registry import Registry
from .storage import VideoStorageFailed, VideoStored

EVENTS: tuple[type[Event], ...] = (
    GenerationRequested,
    CancelRequested,
    CreditsGranted,
    CreditsDebited,
    CreditsDenied,
    CreditsSettled,
    CreditsRefunded,
    SubmissionStarted,
    SubmissionDeferred,
    GenerationSubmitted,
    GenerationProgressed,
    VideoReady,
    GenerationFailed,
    GenerationCancelled,
    CancelDeclined,
    LateResultRecorded,
    VideoStored,
    VideoStorageFailed,
    ApiKeyCreated,
    ApiKeyRevoked,
)


def registry() -> Registry:
    """A registry of every event, with every upcast."""
    return Registry(EVENTS)
