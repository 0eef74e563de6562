"""Catalog of all events and their registry with upcasts."""

from .access import ApiKeyAdded, ApiKeyCreated, ApiKeyRemoved, ApiKeyRevoked, ApiKeyUsed, RateLimitsSet
from .checkpoints import CheckpointSigned
from .credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    MessageSkipped,
    SpendLimitsSet,
)
from .dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from .erasure import AccountErased
from .gateway import CancelRequested, GenerationRequested
from .generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationQueued,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)
from .message import Event
from .price_catalog import PricesPublished
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
    CreditsExpired,
    CreditsAdjusted,
    AccountClosed,
    AccountReopened,
    SpendLimitsSet,
    MessageSkipped,
    GenerationQueued,
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
    AccountErased,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyAdded,
    ApiKeyRemoved,
    ApiKeyUsed,
    RateLimitsSet,
    PricesPublished,
    QueueEntered,
    GenerationDispatched,
    QueueLeft,
    CapacityLowered,
    CheckpointSigned,
)


def registry() -> Registry:
    """A registry of every event, with every upcast."""
    known = Registry(EVENTS)
    # Version 2 only adds reasons and an optional limit: bodies of version 1 are valid as they are.
    known.upcast("credits.denied.v1", CreditsDenied.type, dict)
    return known
