"""What every provider does: the twin in memory, and Ark's client against the emulator."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.environments.providers import (
    Answer,
    ProviderEnvironment,
    emulator,
    emulator_environment,
    memory_environment,
)

from telecine_contracts.generation import DeferralReason, FailureCode
from telecine_generation.provider.port import (
    Accepted,
    Ambiguous,
    CancelOutcome,
    Deferred,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
    SubmitRequest,
)

REQUEST = SubmitRequest(
    model="doubao-seedance-1-0-pro-250528",
    prompt="a lighthouse at dusk",
    image_url=None,
    last_frame_url=None,
    resolution="480p",
    ratio="16:9",
    duration=2,
    seed=42,
    watermark=False,
    camera_fixed=None,
    safety_identifier="",
    callback_url=None,
    expires_after=None,
    generate_audio=False,
)


@pytest.fixture(scope="module")
def emulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("emulator")) as url:
        yield url


@pytest.fixture(params=["memory", pytest.param("ark", marks=pytest.mark.server)])
def closed_world(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[ProviderEnvironment]:
    if request.param == "memory":
        return memory_environment(datetime(2026, 11, 2, 12, tzinfo=UTC))
    return emulator_environment(request.getfixturevalue("emulator_url"))


@pytest.fixture
async def world(
    closed_world: AbstractAsyncContextManager[ProviderEnvironment],
) -> AsyncIterator[ProviderEnvironment]:
    async with closed_world as one:
        yield one


def asked(world: ProviderEnvironment, seed: int = 42) -> SubmitRequest:
    return replace(REQUEST, seed=seed, safety_identifier=f"{world.name}-{seed}")


async def submit(world: ProviderEnvironment, seed: int = 42) -> str:
    outcome = await world.provider.submit(asked(world, seed))
    assert isinstance(outcome, Accepted)
    return outcome.task_id


async def seen(world: ProviderEnvironment, task_id: str) -> ProviderTask:
    return (await world.provider.tasks([task_id]))[task_id]


async def mark_of(world: ProviderEnvironment, request: SubmitRequest) -> SubmissionMark:
    since = await world.now() - timedelta(seconds=10)
    return SubmissionMark(request.seed, request.safety_identifier, request.model, since)


async def test_an_accepted_task_is_queued_as_it_was_asked_for(world: ProviderEnvironment) -> None:
    task = await seen(world, await submit(world))
    assert (task.status, task.model, task.seed) == ("queued", REQUEST.model, 42)
    assert (task.safety_identifier, task.resolution, task.duration) == (f"{world.name}-42", "480p", 2.0)
    assert task.created_at and abs(task.created_at - await world.now()) < timedelta(minutes=1)
    assert (task.video_url, task.error_code, task.failure_code) == (None, None, None)
    assert await world.posts() == 1


async def test_prompt_flags_cannot_change_the_request(world: ProviderEnvironment) -> None:
    request = replace(asked(world), prompt="a lighthouse --resolution 1080p --dur 12 --wm true")
    outcome = await world.provider.submit(request)
    assert isinstance(outcome, Accepted)
    task = await seen(world, outcome.task_id)
    assert (task.resolution, task.duration) == ("480p", 2.0)


async def test_an_unknown_status_is_passed_on(world: ProviderEnvironment) -> None:
    task_id = await submit(world)
    await world.show_next_as(task_id, "paused")
    task = await seen(world, task_id)
    assert (task.status, task.failure_code) == ("paused", None)


async def test_a_task_runs_and_succeeds(world: ProviderEnvironment) -> None:
    task_id = await submit(world)
    await world.run(task_id)
    assert (await seen(world, task_id)).status == "running"
    await world.finish(task_id)
    task = await seen(world, task_id)
    assert task.status == "succeeded"
    assert task.video_url and task.updated_at and task.video_url_expires_at
    assert abs(task.video_url_expires_at - task.updated_at - timedelta(hours=24)) < timedelta(seconds=2)
    assert task.total_tokens


@pytest.mark.parametrize(
    ("provider_code", "code"),
    [
        ("OutputVideoSensitiveContentDetected", FailureCode.MODERATION_OUTPUT),
        ("InternalServiceError", FailureCode.PROVIDER_ERROR),
    ],
)
async def test_a_task_fails(world: ProviderEnvironment, provider_code: str, code: FailureCode) -> None:
    await world.destine_next("failed", provider_code)
    task_id = await submit(world)
    await world.run(task_id)
    await world.finish(task_id)
    task = await seen(world, task_id)
    assert (task.status, task.error_code, task.failure_code) == ("failed", provider_code, code)
    assert task.failure_message
    assert task.video_url is None


async def test_a_task_expires_without_a_reason(world: ProviderEnvironment) -> None:
    await world.destine_next("expired")
    task_id = await submit(world)
    await world.run(task_id)
    await world.finish(task_id)
    task = await seen(world, task_id)
    assert (task.status, task.error_code, task.failure_code) == ("expired", None, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer.INVALID, FailureCode.INVALID_REQUEST),
        (Answer.MODERATED, FailureCode.MODERATION_INPUT),
        (Answer.OVERDUE, FailureCode.PROVIDER_CONFIGURATION),
    ],
)
async def test_a_refusal_says_why_and_makes_no_task(
    world: ProviderEnvironment, answer: Answer, code: FailureCode
) -> None:
    await world.answer_next(answer)
    outcome = await world.provider.submit(asked(world))
    assert isinstance(outcome, Refused)
    assert outcome.code is code
    assert outcome.provider_code and outcome.message
    assert await world.provider.find(await mark_of(world, asked(world))) is None
    assert await world.posts() == 1


async def test_rate_limited_submissions_are_deferred(world: ProviderEnvironment) -> None:
    await world.answer_next(Answer.RATE_LIMITED)
    outcome = await world.provider.submit(asked(world))
    assert isinstance(outcome, Deferred)
    assert outcome.reason is DeferralReason.RATE_LIMITED
    assert await world.posts() == 1
    assert isinstance(await world.provider.submit(asked(world)), Accepted)


@pytest.mark.parametrize(
    "answer", [Answer.LOST_AND_ACCEPTED, Answer.ERROR_AND_ACCEPTED, Answer.GARBLED_AND_ACCEPTED]
)
async def test_a_lost_answer_is_ambiguous_and_the_task_is_found(
    world: ProviderEnvironment, answer: Answer
) -> None:
    await submit(world, 7)
    await world.answer_next(answer)
    assert isinstance(await world.provider.submit(asked(world)), Ambiguous)
    await submit(world, 8)
    mark = await mark_of(world, asked(world))
    for one in (mark, replace(mark, seed=None)):
        found = await world.provider.find(one)
        assert found and found.safety_identifier == mark.safety_identifier
        assert await seen(world, found.task_id) == found
    assert await world.posts() == 3


async def test_a_submission_that_was_not_accepted_is_proven_absent(world: ProviderEnvironment) -> None:
    await submit(world, 7)
    await world.answer_next(Answer.ERROR_AND_NOT_ACCEPTED)
    assert isinstance(await world.provider.submit(asked(world)), Ambiguous)
    assert await world.provider.find(await mark_of(world, asked(world))) is None
    assert await world.posts() == 2


async def test_another_submission_is_not_mistaken_for_ours(world: ProviderEnvironment) -> None:
    await submit(world)
    mark = await mark_of(world, asked(world))
    assert await world.provider.find(replace(mark, safety_identifier="somebody-else")) is None


async def test_many_tasks_are_told_apart_and_unknown_ones_are_absent(world: ProviderEnvironment) -> None:
    ids = [await submit(world, seed) for seed in range(3)]
    found = await world.provider.tasks([*ids, "cgt-nobody-knows"])
    assert {task_id: task.seed for task_id, task in found.items()} == dict(zip(ids, range(3), strict=True))


async def test_a_lagging_list_has_no_task_yet(world: ProviderEnvironment) -> None:
    await world.hide_next()
    task_id = await submit(world)
    assert await world.provider.tasks([task_id]) == {}
    assert await world.provider.find(await mark_of(world, asked(world))) is None


async def test_no_readable_answer_is_not_absence(world: ProviderEnvironment) -> None:
    task_id = await submit(world)
    await world.break_next_read()
    with pytest.raises(ProviderUnavailable):
        await world.provider.tasks([task_id])
    await world.break_next_read()
    with pytest.raises(ProviderUnavailable):
        await world.provider.find(await mark_of(world, asked(world)))
    assert (await seen(world, task_id)).task_id == task_id


async def test_a_queued_task_is_cancelled(world: ProviderEnvironment) -> None:
    task_id = await submit(world)
    assert await world.provider.cancel(task_id) is CancelOutcome.CANCELLED
    task = await seen(world, task_id)
    assert (task.status, task.failure_code) == ("cancelled", None)
    assert await world.provider.cancel(task_id) is CancelOutcome.CANCELLED


async def test_a_running_task_is_not_cancelled(world: ProviderEnvironment) -> None:
    task_id = await submit(world)
    await world.run(task_id)
    assert await world.provider.cancel(task_id) is CancelOutcome.RUNNING
    assert (await seen(world, task_id)).status == "running"


@pytest.mark.parametrize("end", ["succeeded", "expired"])
async def test_a_finished_task_keeps_its_record(world: ProviderEnvironment, end: str) -> None:
    await world.destine_next(end)
    task_id = await submit(world)
    await world.run(task_id)
    await world.finish(task_id)
    assert await world.provider.cancel(task_id) is CancelOutcome.FINISHED
    assert await world.exists(task_id)


async def test_cancelling_an_unknown_task(world: ProviderEnvironment) -> None:
    assert await world.provider.cancel("cgt-nobody-knows") is CancelOutcome.UNKNOWN
