"""Effects of the provider's statuses, before and after the deadline and the end."""

from dataclasses import replace

import pytest
from tests.support.data.generation_events import (
    CANCEL_DECLINED,
    CANCEL_REQUESTED,
    CANCELLED,
    DEADLINE,
    READY,
    REFUNDED,
    SUCCEEDED,
    URL,
    at,
    failed,
    fold,
    late_result,
    progressed,
    requested,
    started,
    submitted,
    timeout,
)

from telecine_contracts import Event
from telecine_contracts.generation import FailureCode, Stage
from telecine_generation.rules.commands import Expire, Observation, Observe
from telecine_generation.rules.decider import MIN_URL_LIFETIME, URL_LIFETIME, decide
from telecine_generation.rules.generation import CancelStatus, evolve

UNAVAILABLE = failed(
    FailureCode.PROVIDER_UNAVAILABLE,
    f"The video provider could not take this generation. {REFUNDED}; please try again.",
    Stage.SUBMISSION,
)


WISHES: dict[CancelStatus, tuple[Event, ...]] = {
    CancelStatus.NONE: (),
    CancelStatus.REQUESTED: (CANCEL_REQUESTED,),
    CancelStatus.DECLINED: (CANCEL_REQUESTED, CANCEL_DECLINED),
}
REFUSED_OUTPUT = Observation(
    "failed",
    failure_code=FailureCode.MODERATION_OUTPUT,
    failure_message="Not this.",
    provider_code="OutputVideoSensitiveContentDetected",
)
PROVIDER_FAILED = failed(
    FailureCode.MODERATION_OUTPUT, "Not this.", provider_code="OutputVideoSensitiveContentDetected"
)
PROVIDER_CANCELLED = failed(
    FailureCode.PROVIDER_CANCELLED, f"The video provider cancelled this generation. {REFUNDED}."
)
PROVIDER_EXPIRED = failed(
    FailureCode.PROVIDER_EXPIRED,
    f"The video provider did not start this generation in time. {REFUNDED}.",
)
LOST = timeout(FailureCode.PROVIDER_LOST)
N, R, D = CancelStatus.NONE, CancelStatus.REQUESTED, CancelStatus.DECLINED
SEEN: list[tuple[Observation, dict[CancelStatus, Event | None], dict[CancelStatus, Event | None]]] = [
    (
        Observation("queued"),
        {N: progressed("queued"), R: progressed("queued"), D: progressed("queued")},
        {N: timeout(), R: timeout(), D: timeout()},
    ),
    (
        Observation("running"),
        {N: progressed("running"), R: progressed("running"), D: progressed("running")},
        {N: timeout(), R: timeout(), D: timeout()},
    ),
    (SUCCEEDED, {N: READY, R: READY, D: READY}, {N: READY, R: READY, D: READY}),
    (
        Observation("succeeded"),
        {N: None, R: None, D: None},
        {N: timeout(), R: timeout(), D: timeout()},
    ),
    (
        REFUSED_OUTPUT,
        {N: PROVIDER_FAILED, R: PROVIDER_FAILED, D: PROVIDER_FAILED},
        {N: PROVIDER_FAILED, R: PROVIDER_FAILED, D: PROVIDER_FAILED},
    ),
    (
        Observation("cancelled"),
        {N: PROVIDER_CANCELLED, R: CANCELLED, D: PROVIDER_CANCELLED},
        {N: timeout(), R: CANCELLED, D: timeout()},
    ),
    (
        Observation("expired"),
        {N: PROVIDER_EXPIRED, R: PROVIDER_EXPIRED, D: PROVIDER_EXPIRED},
        {N: timeout(), R: timeout(), D: timeout()},
    ),
    (
        Observation("paused"),
        {N: None, R: None, D: None},
        {N: timeout(), R: timeout(), D: timeout()},
    ),
    (Observation(""), {N: None, R: None, D: None}, {N: LOST, R: LOST, D: LOST}),
]
STATUSES = [
    f"{seen.status or 'unknown task'}{'' if seen.url or seen.status != 'succeeded' else ' without a url'}"
    for seen, _, _ in SEEN
]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize(("seen", "before", "after"), SEEN, ids=STATUSES)
def test_a_status_leads_to_its_event(
    seen: Observation,
    before: dict[CancelStatus, Event | None],
    after: dict[CancelStatus, Event | None],
    wish: CancelStatus,
) -> None:
    state = fold(requested(), started(), submitted(), *WISHES[wish])
    assert decide(Observe(at(DEADLINE - 0.001), seen), state) == before[wish]
    assert decide(Observe(at(DEADLINE), seen), state) == after[wish]


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_status_is_recorded_only_when_it_changes(status: str) -> None:
    state = fold(requested(), started(), submitted(), progressed(status))
    assert decide(Observe(at(60), Observation(status)), state) is None


def test_a_default_failure_has_a_message_for_the_user() -> None:
    state = fold(requested(), started(), submitted())
    assert decide(Observe(at(60), Observation("failed")), state) == failed(
        FailureCode.PROVIDER_ERROR, "The video provider could not make this video."
    )


@pytest.mark.parametrize(
    ("deadline", "words"),
    [
        (1, "1 second"),
        (45, "45 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (300, "5 minutes"),
        (900, "15 minutes"),
    ],
)
def test_a_timeout_message_has_the_duration(deadline: float, words: str) -> None:
    state = fold(requested(), started(), submitted(deadline=deadline))
    assert decide(Expire(at(deadline)), state) == failed(
        FailureCode.DEADLINE, f"Video generation timeout after {words}"
    )


# After the end


@pytest.mark.parametrize("code", [FailureCode.DEADLINE, FailureCode.PROVIDER_LOST])
@pytest.mark.parametrize(
    ("seen", "then"),
    [
        (SUCCEEDED, late_result("succeeded", URL, 9)),
        (Observation("failed"), late_result("failed")),
        (Observation("cancelled"), late_result("cancelled")),
        (Observation("expired"), late_result("expired")),
        (Observation(""), late_result("lost")),
        (Observation("running"), None),
        (Observation("queued"), None),
        (Observation("paused"), None),
    ],
    ids=lambda value: value.status or "lost" if isinstance(value, Observation) else "",
)
def test_a_late_result_is_recorded_once(code: FailureCode, seen: Observation, then: Event | None) -> None:
    state = fold(requested(), started(), submitted(), timeout(code))
    assert decide(Observe(at(4000), seen), state) == then
    if then is not None:
        assert decide(Observe(at(4001), seen), evolve(state, then)) is None


@pytest.mark.parametrize(
    "end",
    [READY, CANCELLED, PROVIDER_FAILED, PROVIDER_EXPIRED, PROVIDER_CANCELLED, UNAVAILABLE],
    ids=lambda event: getattr(event, "code", event.action),
)
def test_after_any_other_end_nothing_is_recorded(end: Event) -> None:
    state = fold(requested(), started(), submitted(), end)
    assert decide(Observe(at(4000), SUCCEEDED), state) is None


def test_a_url_without_a_date_gets_a_cautious_expiry() -> None:
    """24 h from the first request, because the video cannot be older, but at least an hour from now."""
    state = fold(requested(), started(), submitted())
    timeless = replace(SUCCEEDED, url_expires_at=None)
    assert decide(Observe(at(60), timeless), state) == READY.model_copy(
        update={"url_expires_at": at(0) + URL_LIFETIME}
    )
    behind = replace(SUCCEEDED, url_expires_at=at(-7200))
    assert decide(Observe(at(60), behind), state) == READY.model_copy(
        update={"url_expires_at": at(60) + MIN_URL_LIFETIME}
    )
