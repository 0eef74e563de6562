"""When a video counts as stored, when a copy is retried, and when it fails."""

from datetime import datetime
from functools import reduce

import pytest
from tests.support.data.generation_events import CANCELLED, READY, URL, _event, at

from telecine_contracts import Event
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import StorageFailure, VideoStorageFailed, VideoStored
from telecine_storage.domain import (
    Command,
    Failure,
    GiveUp,
    RecordStored,
    RetryPolicy,
    Video,
    VideoNotReady,
    decide,
    evolve,
    retry_at,
)

SOURCE, BUCKET = StorageFailure.SOURCE, StorageFailure.BUCKET
URL_DIES = at(86400)
STORE = RecordStored(
    bucket="videos",
    key="videos/ann/video_g1.mp4",
    bytes=1000,
    sha256="ab" * 32,
    width=864,
    height=480,
    duration=2.0,
)
STORED = _event(
    VideoStored,
    bucket="videos",
    key="videos/ann/video_g1.mp4",
    bytes=1000,
    sha256="ab" * 32,
    content_type="video/mp4",
    width=864,
    height=480,
    duration=2.0,
)


def failed(side: StorageFailure, url: str | None = None) -> Event:
    return _event(
        VideoStorageFailed,
        side=side,
        message="words",
        stopgap_url=url,
        stopgap_expires_at=URL_DIES if url else None,
        duration=2,
    )


def when(given: tuple[Event, ...], command: Command) -> Event | None:
    return decide(command, reduce(evolve, given, Video()))


def test_a_copy_is_recorded() -> None:
    assert when((READY,), STORE) == STORED


@pytest.mark.parametrize(
    ("side", "now", "then"),
    [
        (BUCKET, at(0), failed(BUCKET, URL)),
        (BUCKET, at(86399), failed(BUCKET, URL)),
        (BUCKET, at(86400), failed(BUCKET)),
        (SOURCE, at(0), failed(SOURCE)),
    ],
    ids=["bucket", "bucket, url about to die", "bucket, url dead", "source"],
)
def test_only_a_valid_url_is_passed_on_as_a_stopgap(side: StorageFailure, now: datetime, then: Event) -> None:
    assert when((READY,), GiveUp(now, side, "words")) == then


@pytest.mark.parametrize("end", [STORED, failed(BUCKET, URL), failed(SOURCE)])
@pytest.mark.parametrize("command", [STORE, GiveUp(at(0), BUCKET, "words")], ids=["store", "give up"])
def test_a_copy_ends_once(end: Event, command: Command) -> None:
    assert when((READY, end), command) is None


@pytest.mark.parametrize("command", [STORE, GiveUp(at(0), BUCKET, "words")], ids=["store", "give up"])
def test_without_a_video_there_is_nothing_to_store(command: Command) -> None:
    with pytest.raises(VideoNotReady):
        when((), command)


def test_unrelated_events_change_nothing() -> None:
    video = evolve(Video(), READY)
    assert evolve(video, CANCELLED) is video


# Retries

PATIENCE = RetryPolicy(first=1, longest=300, source_tries=10, refusal_tries=4, margin=600)


def pause(side: StorageFailure, tried: int, *, permanent: bool = False, now: float = 0) -> float | None:
    """Seconds until the next try after `tried` failures."""
    assert isinstance(READY, VideoReady)
    moment = retry_at(Failure(side, permanent), tried, at(now), READY, PATIENCE)
    return None if moment is None else (moment - at(now)).total_seconds()


@pytest.mark.parametrize(
    ("tried", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (50, 300), (5000, 300)]
)
def test_pauses_grow_up_to_the_longest(tried: int, seconds: float) -> None:
    assert pause(BUCKET, tried) == seconds


def test_a_failing_source_is_retried_up_to_its_limit() -> None:
    assert pause(SOURCE, 9) == 256
    assert pause(SOURCE, 10) is None


def test_a_source_that_refuses_is_tried_less_often() -> None:
    assert pause(SOURCE, 3, permanent=True) == 4
    assert pause(SOURCE, 4, permanent=True) is None


def test_a_failing_bucket_is_retried_until_shortly_before_the_url_expires() -> None:
    last = 86400 - PATIENCE.margin - 300
    assert pause(BUCKET, 5000, now=last) == 300
    assert pause(BUCKET, 5000, now=last + 0.001) is None


@pytest.mark.parametrize("side", StorageFailure)
def test_an_expired_url_is_not_retried(side: StorageFailure) -> None:
    assert pause(side, 1, now=86400) is None
