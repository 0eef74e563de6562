"""The end of a generation settles or refunds its hold; other events do not."""

from datetime import UTC, datetime

import pytest

from telecine_contracts import EVENTS, subjects
from telecine_contracts.examples import example
from telecine_contracts.generation import FailureCode, GenerationCancelled, GenerationFailed, Stage
from telecine_contracts.storage import StorageFailure, VideoStorageFailed, VideoStored
from telecine_contracts.streams import CREDITS_CLOSE
from telecine_credits.handlers.settle import ending_command
from telecine_credits.rules.commands import Refund, Settle

NOT_ENDINGS = {
    "generation.requested.v1",
    "generation.cancel_requested.v1",
    "generation.cancel_declined.v1",
    "generation.queued.v1",
    "account.erased.v1",
    "generation.submission_started.v1",
    "generation.submission_deferred.v1",
    "generation.submitted.v1",
    "generation.progressed.v1",
    "generation.late_result.v1",
    "video.ready.v1",
}
"""Events of a generation after which its credits stay as they are."""


def settle() -> Settle:
    return Settle(account="ann", generation="g1")


def refund(reason: str) -> Refund:
    return Refund(account="ann", generation="g1", reason=reason)


def storage_failed(url: str | None) -> VideoStorageFailed:
    return VideoStorageFailed(
        account="ann",
        generation="g1",
        side=StorageFailure.BUCKET,
        message="The video could not be stored.",
        stopgap_url=url,
        stopgap_expires_at=datetime(2026, 11, 3, tzinfo=UTC) if url else None,
    )


def test_a_stored_video_settles() -> None:
    event = example(VideoStored)
    assert ending_command(event) == Settle(**event.about, seconds=5.04)


def test_a_stopgap_url_settles() -> None:
    assert ending_command(storage_failed("https://provider.example/v.mp4")) == settle()


def test_a_failed_copy_without_a_url_refunds() -> None:
    assert ending_command(storage_failed(None)) == refund("video_not_stored")


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_is_refunded_with_its_code(code: FailureCode) -> None:
    event = GenerationFailed(account="ann", generation="g1", stage=Stage.PROVIDER, code=code, message="…")
    assert ending_command(event) == refund(code.value)


def test_a_cancelled_generation_is_refunded() -> None:
    event = GenerationCancelled(account="ann", generation="g1")
    assert ending_command(event) == refund("cancelled")


def test_every_event_of_a_generation_either_ends_its_hold_or_is_listed() -> None:
    closes = {event.type for event in EVENTS if subjects.of_type(event) in CREDITS_CLOSE.filters}
    of_generations = {event.type for event in EVENTS if event.stream == "VIDEO"}
    assert closes == of_generations - NOT_ENDINGS
