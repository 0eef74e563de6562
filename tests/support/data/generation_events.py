"""The events of one generation, `g1` of `ann`, short to write."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from telecine_contracts import Event
from telecine_contracts.gateway import CancelRequested, GenerationRequested, Kind, VideoParameters
from telecine_contracts.generation import (
    CancelDeclined,
    DeferralReason,
    FailureCode,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
    SubmissionDeferred,
    SubmissionStarted,
    Usage,
    VideoReady,
)
from telecine_contracts.pricing import seed_price
from telecine_generation.rules.commands import Observation
from telecine_generation.rules.generation import Generation, evolve

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DEADLINE = 300
URL = "https://provider.example/video.mp4"
REFUNDED = "Your credits were refunded"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _event(event: type[Event], **fields: Any) -> Event:
    return event(account="ann", generation="g1", **fields)


def requested(seed: int | None = None) -> Event:
    return _event(
        GenerationRequested,
        kind=Kind.TEXT_TO_VIDEO,
        parameters=VideoParameters(
            model="doubao-seedance-1-0-pro-250528",
            prompt="rain",
            resolution="480p",
            ratio="16:9",
            duration=2,
            seed=seed,
        ),
        price=seed_price("480p", 2),
        digest="0" * 64,
    )


def started(attempt: int = 1, seconds: float = 0, **changes: Any) -> Event:
    plain = {
        "owner": "me",
        "started_at": at(seconds),
        "lease_until": at(seconds + 10),
        "seed": 7,
        "seed_is_unique": True,
        "safety_identifier": "mark",
    }
    return _event(SubmissionStarted, attempt=attempt, **(plain | changes))


def deferred(attempt: int = 1, until: float = 20) -> Event:
    return _event(SubmissionDeferred, attempt=attempt, reason=DeferralReason.RATE_LIMITED, retry_at=at(until))


def submitted(attempt: int = 1, *, deadline: float = DEADLINE, adopted: bool = False) -> Event:
    return _event(
        GenerationSubmitted,
        attempt=attempt,
        provider="ark",
        provider_task_id="cgt-1",
        submitted_at=NOON,
        deadline_at=at(deadline),
        adopted=adopted,
    )


def progressed(status: str) -> Event:
    return _event(GenerationProgressed, provider_status=status)


def failed(
    code: FailureCode, message: str, stage: Stage = Stage.PROVIDER, provider_code: str | None = None
) -> Event:
    return _event(GenerationFailed, stage=stage, code=code, message=message, provider_code=provider_code)


def timeout(code: FailureCode = FailureCode.DEADLINE) -> Event:
    return failed(code, "Video generation timeout after 5 minutes")


def late_result(status: str, url: str | None = None, tokens: int | None = None) -> Event:
    return _event(
        LateResultRecorded,
        provider_task_id="cgt-1",
        provider_status=status,
        url=url,
        usage=Usage(total_tokens=tokens),
    )


READY = _event(
    VideoReady,
    provider_task_id="cgt-1",
    url=URL,
    url_expires_at=at(86400),
    usage=Usage(total_tokens=9),
    resolution="480p",
    ratio="16:9",
    duration=2.0,
    seed=7,
)
CANCELLED = _event(GenerationCancelled)
CANCEL_REQUESTED = _event(CancelRequested)
CANCEL_DECLINED = _event(CancelDeclined, provider_status="running")
SUCCEEDED = Observation("succeeded", URL, at(86400), 9, "480p", "16:9", 2.0, 7)


def fold(*events: Event) -> Generation:
    return reduce(evolve, events, Generation())
