"""The state machine of a task: transitions, final statuses, deletion."""

from dataclasses import replace
from secrets import SystemRandom

import pytest

from telecine_emulator.api import content, video_models
from telecine_emulator.api.errors import ApiError
from telecine_emulator.tasks import task as tasks
from telecine_emulator.tasks.spec import ValidatedRequest, resolve
from telecine_emulator.tasks.task import Plan, Task

MODEL = "dreamina-seedance-2-0-260128"
PLAN = Plan(queue_seconds=10, run_seconds=20)
START = 1_700_000_000.0


def accepted(plan: Plan = PLAN, *, expires_after: int = 3600) -> Task:
    items = [{"type": "text", "text": "a kite"}]
    model = video_models.find(MODEL)
    assert model
    body = {"model": MODEL, "content": items, "execution_expires_after": expires_after}
    spec = resolve(ValidatedRequest(body, content.read(items), model), SystemRandom())
    return tasks.accept("cgt-1", spec, plan, now=START)


def stepped(task: Task) -> Task:
    """The task after the change that is due."""
    assert task.due_at is not None
    return tasks.step(task, task.due_at)


def test_a_task_waits_runs_and_succeeds() -> None:
    running = stepped(accepted())
    assert (running.status, running.updated_at, running.due_at) == ("running", START + 10, START + 30)
    done = stepped(running)
    assert (done.status, done.updated_at, done.due_at, done.error_code) == (
        "succeeded",
        START + 30,
        None,
        None,
    )


def test_a_task_fails_with_the_planned_code() -> None:
    done = stepped(
        stepped(accepted(replace(PLAN, end="fail", fail_code="OutputVideoSensitiveContentDetected")))
    )
    assert (done.status, done.error_code) == ("failed", "OutputVideoSensitiveContentDetected")


def test_an_expired_task_has_no_error() -> None:
    done = stepped(stepped(accepted(replace(PLAN, end="expire"))))
    assert (done.status, done.error_code) == ("expired", None)


def test_a_hanging_task_is_never_due() -> None:
    running = stepped(accepted(replace(PLAN, end="hang")))
    assert (running.status, running.due_at) == ("running", None)


@pytest.mark.parametrize("expires_after", [5, 15])
def test_a_task_expires_when_its_time_is_over_queued_or_running(expires_after: int) -> None:
    task = accepted(expires_after=expires_after)
    while task.due_at is not None:
        task = stepped(task)
    assert (task.status, task.updated_at) == ("expired", START + expires_after)


def test_deleting_a_queued_task_cancels_it() -> None:
    gone = tasks.delete(accepted(), START + 1)
    assert (gone.status, gone.deleted, gone.due_at) == ("cancelled", False, None)


def test_deleting_a_running_task_is_a_conflict() -> None:
    with pytest.raises(ApiError) as caught:
        tasks.delete(stepped(accepted()), START + 11)
    assert (caught.value.status, caught.value.code) == (409, "InvalidAction.RunningTaskDeletion")


@pytest.mark.parametrize("end", ["succeed", "fail", "expire"])
def test_deleting_an_ended_task_removes_the_record(end: str) -> None:
    gone = tasks.delete(stepped(stepped(accepted(replace(PLAN, end=end)))), START + 40)
    assert gone.deleted
    assert not tasks.visible(gone, START + 40)


def test_a_cancelled_task_cannot_be_deleted_and_expires() -> None:
    cancelled = tasks.delete(accepted(), START)
    with pytest.raises(ApiError):
        tasks.delete(cancelled, START)
    assert tasks.visible(cancelled, START + 86_399)
    assert not tasks.visible(cancelled, START + 86_400)


def test_records_are_kept_for_seven_days() -> None:
    done = stepped(stepped(accepted()))
    assert tasks.visible(done, START + 7 * 86_400 - 1)
    assert not tasks.visible(done, START + 7 * 86_400)


def test_a_result_url_expires_a_day_after_success() -> None:
    assert stepped(stepped(accepted())).url_expires_at == START + 30 + 86_400


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_task_round_trips_through_its_record(steps: int) -> None:
    task = accepted()
    for _ in range(steps):
        task = stepped(task)
    assert tasks.from_record(tasks.to_record(task)) == task
