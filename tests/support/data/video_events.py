"""Events of one generation, as the services would write them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telecine_contracts.gateway import CancelRequested, GenerationRequested, Kind, VideoParameters
from telecine_contracts.generation import (
    CancelDeclined,
    FailureCode,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
    SubmissionStarted,
    Usage,
    VideoReady,
)
from telecine_contracts.pricing import seed_price
from telecine_contracts.storage import StorageFailure, VideoStorageFailed, VideoStored

__all__ = ["NOW", "GenerationEvents"]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROVIDER_TASK = "cgt-20261123120000-abcde"


@dataclass(frozen=True)
class GenerationEvents:
    """Makes the events of one generation of one account."""

    account: str
    generation: str

    @property
    def _about(self) -> dict[str, str]:
        return {"account": self.account, "generation": self.generation}

    def requested(self, prompt: str = "a cat", digest: str = "d" * 64) -> GenerationRequested:
        parameters = VideoParameters(
            model="doubao-seedance-1-0-pro-250528",
            prompt=prompt,
            resolution="720p",
            ratio="16:9",
            duration=5,
        )
        return GenerationRequested(
            **self._about,
            kind=Kind.TEXT_TO_VIDEO,
            parameters=parameters,
            price=seed_price("720p", 5),
            digest=digest,
            api_key="key_1",
        )

    def started(self) -> SubmissionStarted:
        return SubmissionStarted(
            **self._about,
            attempt=1,
            owner="test",
            started_at=NOW,
            lease_until=NOW + timedelta(seconds=30),
            seed=7,
            seed_is_unique=True,
            safety_identifier="mark",
        )

    def submitted(self) -> GenerationSubmitted:
        return GenerationSubmitted(
            **self._about,
            attempt=1,
            provider="ark",
            provider_task_id=PROVIDER_TASK,
            submitted_at=NOW,
            deadline_at=NOW + timedelta(seconds=300),
        )

    def progressed(self, status: str = "running") -> GenerationProgressed:
        return GenerationProgressed(**self._about, provider_status=status)

    def ready(self) -> VideoReady:
        return VideoReady(
            **self._about,
            provider_task_id=PROVIDER_TASK,
            url="https://provider.example.com/secret.mp4?token=very-secret",
            url_expires_at=NOW + timedelta(hours=24),
            usage=Usage(total_tokens=100),
        )

    def stored(
        self, *, bucket: str = "videos", key: str = "", size: int = 1000, sha256: str = "a" * 64
    ) -> VideoStored:
        return VideoStored(
            **self._about,
            bucket=bucket,
            key=key or f"videos/{self.account}/video_{self.generation}.mp4",
            bytes=size,
            sha256=sha256,
            content_type="video/mp4",
            width=1280,
            height=720,
            duration=5.0,
        )

    def not_stored(self, stopgap: str | None = None, until: datetime | None = None) -> VideoStorageFailed:
        return VideoStorageFailed(
            **self._about,
            side=StorageFailure.BUCKET,
            message="the bucket gave up",
            stopgap_url=stopgap,
            stopgap_expires_at=until,
        )

    def failed(self, message: str = "Video generation timeout after 5 minutes") -> GenerationFailed:
        return GenerationFailed(
            **self._about, stage=Stage.PROVIDER, code=FailureCode.DEADLINE, message=message
        )

    def cancel_requested(self) -> CancelRequested:
        return CancelRequested(**self._about)

    def cancel_declined(self) -> CancelDeclined:
        return CancelDeclined(**self._about, provider_status="running")

    def cancelled(self) -> GenerationCancelled:
        return GenerationCancelled(**self._about)

    def late_result(self) -> LateResultRecorded:
        return LateResultRecorded(
            **self._about,
            provider_task_id=PROVIDER_TASK,
            provider_status="succeeded",
            usage=Usage(total_tokens=100),
        )
