"""One realistic, valid and constant instance of every event, for schemas, documents and golden files.

Together they tell one story: the account ``acme`` is granted 500 credits and asks for clips of 50 credits each.
"""

from datetime import UTC, datetime, timedelta

from .access import (
    ApiKeyAdded,
    ApiKeyCreated,
    ApiKeyRemoved,
    ApiKeyRevoked,
    ApiKeyUsed,
    RateLimit,
    RateLimitsSet,
)
from .catalog_examples import CATALOG_EXAMPLES, queue_examples
from .checkpoints import CheckpointSigned
from .credits import (
    AccountClosed,
    AccountReopened,
    Balances,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    GrantKind,
    LimitPeriod,
    LimitReached,
    LimitScope,
    MessageSkipped,
    Posting,
    SpendLimitsSet,
)
from .envelope import Envelope, derive_id
from .erasure import AccountErased
from .gateway import CancelRequested, GenerationRequested, Kind, VideoParameters
from .generation import (
    CancelDeclined,
    DeferralReason,
    FailureCode,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationQueued,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
    SubmissionDeferred,
    SubmissionStarted,
    Usage,
    VideoReady,
)
from .message import Event
from .price_files import built_in_table
from .pricing import PricedInputs
from .storage import StorageFailure, VideoStorageFailed, VideoStored
from .subjects import of_event

_ACCOUNT = "acme"
_GENERATION = "0b9f6a54-3f0c-5f0e-9d53-0c6d2f4e8a11"
_TASK = "cgt-20261123100002-x7k2p"
_URL = "https://provider.example/results/cgt-20261123100002-x7k2p.mp4"
_TIME = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_PRICE = built_in_table().quote(
    PricedInputs(model="doubao-seedance-1-0-pro-250528", resolution="720p", seconds=5)
)
_USAGE = Usage(total_tokens=108_900)


_NOTE = """\
ledger.telecine.example
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— ledger.telecine.example 8pVhJqtfP/uNrRL42QyvOKVnyCDonE01yJOiyLvSljSd02O93QoCV84t5fkoSsxYEGbkrdKr9jPkr1BH/q1f3F4w9ws=
"""
"""Signed with a published test key: its seed is the bytes 0 to 31."""


def example(event: type[Event]) -> Event:
    """The example of one event. Raises KeyError for an event without one."""
    return {type(known): known for known in EXAMPLES}[event]


def envelope(event: Event) -> Envelope:
    """An envelope of `event`, caused by the request of the generation."""
    return Envelope(
        id=derive_id(_GENERATION, event.type),
        source=event.written_by,
        type=event.type,
        time=_TIME,
        subject=of_event(event),
        correlation=_GENERATION,
        causation=derive_id(_GENERATION, GenerationRequested.type),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def _at(seconds: float) -> datetime:
    return _TIME + timedelta(seconds=seconds)


def _move(amount: int, source: str, target: str, grant: int = 1) -> tuple[Posting, Posting]:
    return (
        Posting(account=source, amount=-amount, grant=grant),
        Posting(account=target, amount=amount, grant=grant),
    )


_REQUESTS: tuple[Event, ...] = (
    GenerationRequested(
        account=_ACCOUNT,
        generation=_GENERATION,
        kind=Kind.TEXT_TO_VIDEO,
        parameters=VideoParameters(
            model="doubao-seedance-1-0-pro-250528",
            prompt="A paper boat drifts down a rainy street, 雨",
            resolution="720p",
            ratio="16:9",
            duration=5,
            camera_fixed=False,
        ),
        price=_PRICE,
        digest="1f58b9145b24d108d7ac38887338b3ea3229833b9c1e418250343f907bfd1047",
        api_key="key_5f1c9e",
    ),
    CancelRequested(account=_ACCOUNT, generation=_GENERATION),
)

_LEDGER: tuple[Event, ...] = (
    CreditsGranted(
        account=_ACCOUNT,
        entry=1,
        postings=_move(500, "issued", "acme:available"),
        balances=Balances(available=500, held=0),
        decided_at=_at(-3600),
        amount=500,
        kind=GrantKind.PAID,
        reference="payment-2026-000117",
        reason="Starter pack",
        expires_at=datetime(2027, 11, 23, tzinfo=UTC),
    ),
    CreditsDebited(
        account=_ACCOUNT,
        entry=2,
        postings=_move(50, "acme:available", "acme:held"),
        balances=Balances(available=450, held=50),
        decided_at=_at(0.01),
        generation=_GENERATION,
        amount=50,
        price=_PRICE,
        api_key="key_5f1c9e",
    ),
    CreditsDenied(
        account=_ACCOUNT,
        entry=20,
        postings=(),
        balances=Balances(available=180, held=0),
        decided_at=_at(0.01),
        generation=_GENERATION,
        reason=DenialReason.SPEND_LIMIT,
        needed=50,
        available=180,
        limit=LimitReached(scope=LimitScope.API_KEY, per=LimitPeriod.DAY, limit=200, used=160),
    ),
    CreditsSettled(
        account=_ACCOUNT,
        entry=3,
        postings=_move(50, "acme:held", "spent"),
        balances=Balances(available=450, held=0),
        decided_at=_at(64),
        generation=_GENERATION,
        amount=50,
    ),
    CreditsRefunded(
        account=_ACCOUNT,
        entry=3,
        postings=_move(50, "acme:held", "acme:available"),
        balances=Balances(available=500, held=0),
        decided_at=_at(302),
        generation=_GENERATION,
        amount=50,
        reason=FailureCode.DEADLINE.value,
    ),
)

_ACCOUNTS: tuple[Event, ...] = (
    CreditsExpired(
        account=_ACCOUNT,
        entry=30,
        postings=_move(40, "acme:available", "expired"),
        balances=Balances(available=0, held=0),
        decided_at=datetime(2027, 11, 23, 0, 0, 0, 250_000, tzinfo=UTC),
        grant=1,
        amount=40,
    ),
    CreditsAdjusted(
        account=_ACCOUNT,
        entry=4,
        postings=_move(50, "spent", "acme:available"),
        balances=Balances(available=500, held=0),
        decided_at=_at(7200),
        corrects=3,
        amount=50,
        reference="ticket-4711",
        reason="The video was black from its third second on",
    ),
    AccountClosed(
        account=_ACCOUNT,
        entry=31,
        postings=(),
        balances=Balances(available=0, held=0),
        decided_at=_at(31_600_000),
        reason="Contract ended",
    ),
    AccountReopened(
        account=_ACCOUNT,
        entry=32,
        postings=(),
        balances=Balances(available=0, held=0),
        decided_at=_at(31_700_000),
        reason="Contract renewed",
    ),
    SpendLimitsSet(
        account=_ACCOUNT,
        entry=19,
        postings=(),
        balances=Balances(available=180, held=0),
        decided_at=_at(-60),
        api_key="key_5f1c9e",
        per_day=200,
        per_generation=100,
    ),
    MessageSkipped(
        account=_ACCOUNT,
        entry=33,
        postings=(),
        balances=Balances(available=0, held=0),
        decided_at=_at(31_800_000),
        skips=4_711,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        reason="Written by hand with the identity of credits, incident 12",
    ),
)

_SUBMISSION: tuple[Event, ...] = (
    GenerationQueued(account=_ACCOUNT, generation=_GENERATION, model="doubao-seedance-1-0-pro-250528"),
    SubmissionStarted(
        account=_ACCOUNT,
        generation=_GENERATION,
        attempt=1,
        owner="generation-1",
        started_at=_at(0.02),
        lease_until=_at(15.02),
        seed=2_718_281_828,
        seed_is_unique=True,
        safety_identifier="acme-5f1c9e",
    ),
    SubmissionDeferred(
        account=_ACCOUNT,
        generation=_GENERATION,
        attempt=1,
        reason=DeferralReason.RATE_LIMITED,
        retry_at=_at(5),
        provider_code="RateLimitExceeded",
    ),
    GenerationSubmitted(
        account=_ACCOUNT,
        generation=_GENERATION,
        attempt=1,
        provider="ark",
        provider_task_id=_TASK,
        submitted_at=_at(2),
        deadline_at=_at(302),
    ),
)

_OUTCOMES: tuple[Event, ...] = (
    GenerationProgressed(account=_ACCOUNT, generation=_GENERATION, provider_status="running"),
    VideoReady(
        account=_ACCOUNT,
        generation=_GENERATION,
        provider_task_id=_TASK,
        url=_URL,
        url_expires_at=_at(86_442),
        usage=_USAGE,
        resolution="720p",
        ratio="16:9",
        duration=5,
        seed=2_718_281_828,
    ),
    GenerationFailed(
        account=_ACCOUNT,
        generation=_GENERATION,
        stage=Stage.PROVIDER,
        code=FailureCode.DEADLINE,
        message="Video generation timeout after 5 minutes",
    ),
    GenerationCancelled(account=_ACCOUNT, generation=_GENERATION),
    CancelDeclined(account=_ACCOUNT, generation=_GENERATION, provider_status="running"),
    LateResultRecorded(
        account=_ACCOUNT,
        generation=_GENERATION,
        provider_task_id=_TASK,
        provider_status="succeeded",
        url=_URL,
        usage=_USAGE,
    ),
)

_COPIES: tuple[Event, ...] = (
    VideoStored(
        account=_ACCOUNT,
        generation=_GENERATION,
        bucket="telecine",
        key=f"videos/{_ACCOUNT}/video_{_GENERATION}.mp4",
        bytes=4_718_592,
        sha256="0cab1c9617404faf2b24e221e189ca5945813e14d3f766345b09ca13bbe28ffc",
        content_type="video/mp4",
        width=1248,
        height=704,
        duration=5.04,
    ),
    VideoStorageFailed(
        account=_ACCOUNT,
        generation=_GENERATION,
        side=StorageFailure.BUCKET,
        message="The bucket did not take the video",
        stopgap_url=_URL,
        stopgap_expires_at=_at(86_442),
    ),
    AccountErased(account=_ACCOUNT, generations=12, ledger_sequence=208),
)

_KEYS: tuple[Event, ...] = (
    ApiKeyCreated(
        account=_ACCOUNT,
        key_id="key_5f1c9e",
        key_sha256="2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",
        name="web front end",
        scopes=("generate",),
    ),
    ApiKeyRevoked(account=_ACCOUNT, key_id="key_5f1c9e"),
    ApiKeyAdded(
        account=_ACCOUNT,
        key_id="key_b81d07",
        key_sha256="d3c7e1f0a92b4586b1e02f6a7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f809",
        name="web front end",
        scopes=("generate", "keys"),
        expires_at=_at(90 * 86_400),
        replaces="key_5f1c9e",
        replaced_until=_at(86_400),
    ),
    ApiKeyRemoved(account=_ACCOUNT, key_id="key_b81d07"),
    ApiKeyUsed(account=_ACCOUNT, key_id="key_b81d07", used_at=_at(3_600)),
    RateLimitsSet(account=_ACCOUNT, generations=RateLimit(limit=30, seconds=60)),
)

_CHECKPOINTS: tuple[Event, ...] = (
    CheckpointSigned(
        log="ledger",
        size=8,
        root="XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
        note=_NOTE,
    ),
)

EXAMPLES: tuple[Event, ...] = (
    *_REQUESTS,
    *_LEDGER,
    *_ACCOUNTS,
    *_SUBMISSION,
    *_OUTCOMES,
    *_COPIES,
    *_KEYS,
    *_CHECKPOINTS,
    *CATALOG_EXAMPLES,
    *queue_examples(_ACCOUNT, _GENERATION, _TIME),
)
"""One instance of every event in the catalog."""
