"""Contract of every provider: the in-memory twin, and Ark's client against the emulator."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.data.submit_requests import submit_request, with_parameters
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

REQUEST = submit_request(resolution="480p", duration=2)


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
async def environment(
    closed_world: AbstractAsyncContextManager[ProviderEnvironment],
) -> AsyncIterator[ProviderEnvironment]:
    async with closed_world as one:
        yield one


def asked(environment: ProviderEnvironment, seed: int = 42) -> SubmitRequest:
    return replace(REQUEST, seed=seed, safety_identifier=f"{environment.name}-{seed}")


async def submit(environment: ProviderEnvironment, seed: int = 42) -> str:
    outcome = await environment.provider.submit(asked(environment, seed))
    assert isinstance(outcome, Accepted)
    return outcome.task_id


async def seen(environment: ProviderEnvironment, task_id: str) -> ProviderTask:
    return (await environment.provider.tasks([task_id]))[task_id]


async def mark_of(environment: ProviderEnvironment, request: SubmitRequest) -> SubmissionMark:
    since = await environment.now() - timedelta(seconds=10)
    return SubmissionMark(request.seed, request.safety_identifier, request.model, since)


async def test_an_accepted_task_is_queued_with_its_parameters(environment: ProviderEnvironment) -> None:
    task = await seen(environment, await submit(environment))
    assert (task.status, task.model, task.seed) == ("queued", REQUEST.model, 42)
    assert (task.safety_identifier, task.resolution, task.duration) == (f"{environment.name}-42", "480p", 2.0)
    assert task.created_at and abs(task.created_at - await environment.now()) < timedelta(minutes=1)
    assert (task.video_url, task.error_code, task.failure_code) == (None, None, None)
    assert await environment.posts() == 1


async def test_tasks_of_the_offline_tier_are_listed_apart(environment: ProviderEnvironment) -> None:
    flex = with_parameters(asked(environment, 44), service_tier="flex")
    outcome = await environment.provider.submit(flex)
    assert isinstance(outcome, Accepted)
    other = await submit(environment)
    both = [outcome.task_id, other]

    assert set(await environment.provider.tasks(both)) == {other}
    assert set(await environment.provider.tasks(both, flex=True)) == {outcome.task_id}
    mark = await mark_of(environment, flex)
    assert await environment.provider.find(mark) is None
    found = await environment.provider.find(replace(mark, flex=True))
    assert found is not None
    assert found.task_id == outcome.task_id


async def test_prompt_flags_cannot_change_the_request(environment: ProviderEnvironment) -> None:
    request = with_parameters(asked(environment), prompt="a lighthouse --resolution 1080p --dur 12 --wm true")
    outcome = await environment.provider.submit(request)
    assert isinstance(outcome, Accepted)
    task = await seen(environment, outcome.task_id)
    assert (task.resolution, task.duration) == ("480p", 2.0)


async def test_an_unknown_status_is_passed_on(environment: ProviderEnvironment) -> None:
    task_id = await submit(environment)
    await environment.show_next_as(task_id, "paused")
    task = await seen(environment, task_id)
    assert (task.status, task.failure_code) == ("paused", None)


async def test_a_task_runs_and_succeeds(environment: ProviderEnvironment) -> None:
    task_id = await submit(environment)
    await environment.run(task_id)
    assert (await seen(environment, task_id)).status == "running"
    await environment.finish(task_id)
    task = await seen(environment, task_id)
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
async def test_a_task_fails(environment: ProviderEnvironment, provider_code: str, code: FailureCode) -> None:
    await environment.destine_next("failed", provider_code)
    task_id = await submit(environment)
    await environment.run(task_id)
    await environment.finish(task_id)
    task = await seen(environment, task_id)
    assert (task.status, task.error_code, task.failure_code) == ("failed", provider_code, code)
    assert task.failure_message
    assert task.video_url is None


async def test_an_expired_task_has_no_reason(environment: ProviderEnvironment) -> None:
    await environment.destine_next("expired")
    task_id = await submit(environment)
    await environment.run(task_id)
    await environment.finish(task_id)
    task = await seen(environment, task_id)
    assert (task.status, task.error_code, task.failure_code) == ("expired", None, None)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer.INVALID, FailureCode.INVALID_REQUEST),
        (Answer.MODERATED, FailureCode.MODERATION_INPUT),
        (Answer.OVERDUE, FailureCode.PROVIDER_CONFIGURATION),
    ],
)
async def test_a_refusal_has_a_reason_and_creates_no_task(
    environment: ProviderEnvironment, answer: Answer, code: FailureCode
) -> None:
    await environment.answer_next(answer)
    outcome = await environment.provider.submit(asked(environment))
    assert isinstance(outcome, Refused)
    assert outcome.code is code
    assert outcome.provider_code and outcome.message
    assert await environment.provider.find(await mark_of(environment, asked(environment))) is None
    assert await environment.posts() == 1


async def test_rate_limited_submissions_are_deferred(environment: ProviderEnvironment) -> None:
    await environment.answer_next(Answer.RATE_LIMITED)
    outcome = await environment.provider.submit(asked(environment))
    assert isinstance(outcome, Deferred)
    assert outcome.reason is DeferralReason.RATE_LIMITED
    assert await environment.posts() == 1
    assert isinstance(await environment.provider.submit(asked(environment)), Accepted)


@pytest.mark.parametrize(
    "answer", [Answer.LOST_AND_ACCEPTED, Answer.ERROR_AND_ACCEPTED, Answer.GARBLED_AND_ACCEPTED]
)
async def test_a_lost_answer_is_ambiguous_and_the_task_is_found(
    environment: ProviderEnvironment, answer: Answer
) -> None:
    await submit(environment, 7)
    await environment.answer_next(answer)
    assert isinstance(await environment.provider.submit(asked(environment)), Ambiguous)
    await submit(environment, 8)
    mark = await mark_of(environment, asked(environment))
    for one in (mark, replace(mark, seed=None)):
        found = await environment.provider.find(one)
        assert found and found.safety_identifier == mark.safety_identifier
        assert await seen(environment, found.task_id) == found
    assert await environment.posts() == 3


async def test_a_submission_that_was_not_accepted_is_proven_absent(environment: ProviderEnvironment) -> None:
    await submit(environment, 7)
    await environment.answer_next(Answer.ERROR_AND_NOT_ACCEPTED)
    assert isinstance(await environment.provider.submit(asked(environment)), Ambiguous)
    assert await environment.provider.find(await mark_of(environment, asked(environment))) is None
    assert await environment.posts() == 2


async def test_another_submission_is_not_mistaken_for_ours(environment: ProviderEnvironment) -> None:
    await submit(environment)
    mark = await mark_of(environment, asked(environment))
    assert await environment.provider.find(replace(mark, safety_identifier="other-generation")) is None


async def test_many_tasks_are_read_and_unknown_ones_are_absent(environment: ProviderEnvironment) -> None:
    ids = [await submit(environment, seed) for seed in range(3)]
    found = await environment.provider.tasks([*ids, "cgt-unknown"])
    assert {task_id: task.seed for task_id, task in found.items()} == dict(zip(ids, range(3), strict=True))


async def test_a_lagging_list_has_no_task_yet(environment: ProviderEnvironment) -> None:
    await environment.hide_next()
    task_id = await submit(environment)
    assert await environment.provider.tasks([task_id]) == {}
    assert await environment.provider.find(await mark_of(environment, asked(environment))) is None


async def test_an_unreadable_response_is_not_absence(environment: ProviderEnvironment) -> None:
    task_id = await submit(environment)
    await environment.break_next_read()
    with pytest.raises(ProviderUnavailable):
        await environment.provider.tasks([task_id])
    await environment.break_next_read()
    with pytest.raises(ProviderUnavailable):
        await environment.provider.find(await mark_of(environment, asked(environment)))
    assert (await seen(environment, task_id)).task_id == task_id


async def test_a_queued_task_is_cancelled(environment: ProviderEnvironment) -> None:
    task_id = await submit(environment)
    assert await environment.provider.cancel(task_id) is CancelOutcome.CANCELLED
    task = await seen(environment, task_id)
    assert (task.status, task.failure_code) == ("cancelled", None)
    assert await environment.provider.cancel(task_id) is CancelOutcome.CANCELLED


async def test_a_running_task_is_not_cancelled(environment: ProviderEnvironment) -> None:
    task_id = await submit(environment)
    await environment.run(task_id)
    assert await environment.provider.cancel(task_id) is CancelOutcome.RUNNING
    assert (await seen(environment, task_id)).status == "running"


@pytest.mark.parametrize("end", ["succeeded", "expired"])
async def test_a_finished_task_keeps_its_record(environment: ProviderEnvironment, end: str) -> None:
    await environment.destine_next(end)
    task_id = await submit(environment)
    await environment.run(task_id)
    await environment.finish(task_id)
    assert await environment.provider.cancel(task_id) is CancelOutcome.FINISHED
    assert await environment.exists(task_id)


async def test_cancelling_an_unknown_task_is_unknown(environment: ProviderEnvironment) -> None:
    assert await environment.provider.cancel("cgt-unknown") is CancelOutcome.UNKNOWN
