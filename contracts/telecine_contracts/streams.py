"""Streams and durable consumers as data, which `telecine provision` applies to the server."""

from dataclasses import dataclass, field
from typing import Literal

from . import subjects
from .credits import CreditsAdjusted, CreditsDebited, CreditsDenied, CreditsGranted, CreditsRefunded
from .dispatch import GenerationDispatched
from .erasure import AccountErased
from .gateway import CancelRequested, GenerationRequested
from .generation import GenerationCancelled, GenerationFailed, VideoReady
from .storage import VideoStorageFailed, VideoStored

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One JetStream stream. Sizes in bytes, times in seconds; 0 or None means no limit.

    `announced`: every message is republished on ``stored.<its subject>`` once it is stored (JetStream's republishing),
    so that a reader of the stream follows it without requests and without a consumer of its own.
    """

    name: str
    description: str
    subjects: tuple[str, ...]
    retention: Literal["limits", "workqueue"] = "limits"
    discard: Literal["old", "new"] = "new"
    max_bytes: int = 0
    max_age: float = 0
    max_message_bytes: int = 256 * 1024
    duplicate_window: float = 120
    deny_delete: bool = False
    deny_purge: bool = False
    schedules: bool = False
    asynchronous: bool = False
    announced: bool = False
    max_consumers: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A durable pull consumer with one handler in one service. Times in seconds.

    `concurrency` is the number of messages that one process handles at once; `ack_wait` is how long the server waits
    for an acknowledgement before it redelivers a message (a running handler extends this time).
    """

    name: str
    service: str
    stream: str
    filters: tuple[str, ...]
    ack_wait: float = 10
    concurrency: int = 64
    max_ack_pending: int = field(default=5000)


VIDEO = Stream(
    name="VIDEO",
    description="Generations, from request to stored video. Erased for an account that requests it.",
    subjects=("video.*.*.*",),
    announced=True,
)
LEDGER = Stream(
    name="LEDGER",
    description="Every movement of credits. Never deleted, purged, aged out or scheduled.",
    subjects=("ledger.*.*",),
    deny_delete=True,
    deny_purge=True,
    announced=True,
)
ACCESS = Stream(
    name="ACCESS",
    description="API keys, hashed.",
    subjects=("access.*.*",),
    announced=True,
)
CHECKPOINTS = Stream(
    name="CHECKPOINTS",
    description="Signed checkpoints of the ledger. Never deleted or purged.",
    subjects=("checkpoints.*.*",),
    deny_delete=True,
    deny_purge=True,
    announced=True,
)
CATALOG = Stream(
    name="CATALOG",
    description="Price tables. Never deleted or purged.",
    subjects=("catalog.*.*",),
    deny_delete=True,
    deny_purge=True,
    announced=True,
)
QUEUE = Stream(
    name="QUEUE",
    description="The order in which generations are dispatched to the provider, of models with a limit.",
    subjects=("queue.*.*",),
    discard="old",
    max_age=7 * 24 * 3600,
    announced=True,
)
TIMERS = Stream(
    name="TIMERS",
    description="Durable timers. Derived from events: a lost timer is set again.",
    subjects=("timers.at.>", "timers.due.>"),
    retention="workqueue",
    schedules=True,
    asynchronous=True,
)
DEADLETTERS = Stream(
    name="DEADLETTERS",
    description="Messages that a handler could not process, with the error.",
    subjects=("deadletters.*.>",),
    discard="old",
    max_bytes=GIB,
    max_message_bytes=1024 * 1024,
)
STREAMS = (VIDEO, LEDGER, ACCESS, CHECKPOINTS, CATALOG, QUEUE, TIMERS, DEADLETTERS)

CREDITS_DEBIT = Consumer(
    name="credits-debit", service="credits", stream="VIDEO", filters=(subjects.of_type(GenerationRequested),)
)
CREDITS_CLOSE = Consumer(
    name="credits-close",
    service="credits",
    stream="VIDEO",
    filters=tuple(
        subjects.of_type(event)
        for event in (VideoStored, VideoStorageFailed, GenerationFailed, GenerationCancelled)
    ),
)
CREDITS_EXPIRY = Consumer(
    name="credits-expiry",
    service="credits",
    stream="LEDGER",
    filters=tuple(subjects.of_type(event) for event in (CreditsGranted, CreditsRefunded, CreditsAdjusted)),
)
GENERATION_SUBMIT = Consumer(
    name="generation-submit",
    service="generation",
    stream="LEDGER",
    filters=(subjects.of_type(CreditsDebited),),
)
GENERATION_DENY = Consumer(
    name="generation-deny", service="generation", stream="LEDGER", filters=(subjects.of_type(CreditsDenied),)
)
GENERATION_DISPATCH = Consumer(
    name="generation-dispatch",
    service="generation",
    stream="QUEUE",
    filters=(subjects.of_type(GenerationDispatched),),
    ack_wait=5,
)
GENERATION_RELEASE = Consumer(
    name="generation-release",
    service="generation",
    stream="VIDEO",
    filters=tuple(subjects.of_type(event) for event in (VideoReady, GenerationFailed, GenerationCancelled)),
    ack_wait=5,
)
GENERATION_CANCEL = Consumer(
    name="generation-cancel",
    service="generation",
    stream="VIDEO",
    filters=(subjects.of_type(CancelRequested),),
)
CREDITS_TIMERS = Consumer(
    name="credits-timers", service="credits", stream="TIMERS", filters=("timers.due.credits.>",)
)
GENERATION_TIMERS = Consumer(
    name="generation-timers",
    service="generation",
    stream="TIMERS",
    filters=("timers.due.generation.>",),
    concurrency=500,
)
STORAGE_COPY = Consumer(
    name="storage-copy",
    service="storage",
    stream="VIDEO",
    filters=(subjects.of_type(VideoReady),),
    concurrency=4,
    ack_wait=15,
)
STORAGE_TIMERS = Consumer(
    name="storage-timers",
    service="storage",
    stream="TIMERS",
    filters=("timers.due.storage.>",),
    concurrency=4,
    ack_wait=15,
)
STORAGE_ERASE = Consumer(
    name="storage-erase",
    service="storage",
    stream="VIDEO",
    filters=(subjects.of_type(AccountErased),),
    concurrency=1,
    ack_wait=15,
)
CONSUMERS = (
    CREDITS_DEBIT,
    CREDITS_CLOSE,
    CREDITS_EXPIRY,
    CREDITS_TIMERS,
    GENERATION_SUBMIT,
    GENERATION_DENY,
    GENERATION_DISPATCH,
    GENERATION_RELEASE,
    GENERATION_CANCEL,
    GENERATION_TIMERS,
    STORAGE_COPY,
    STORAGE_TIMERS,
    STORAGE_ERASE,
)
