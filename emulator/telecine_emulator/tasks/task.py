"""The state machine of a task: queued, running, then one of four final statuses. Pure functions of task and time."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from telecine_emulator.api.errors import ApiError

from .spec import Spec

TERMINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})
STATUSES = frozenset({"queued", "running"}) | TERMINAL
RECORD_SECONDS = 7 * 86_400
CANCELLED_RECORD_SECONDS = 86_400
URL_LIFETIME_SECONDS = 86_400


@dataclass(frozen=True)
class Plan:
    """How a task will proceed: times in seconds, its final status, and its faults."""

    queue_seconds: float
    run_seconds: float
    end: str = "succeed"
    """succeed, fail, expire or hang."""
    fail_code: str = "InternalServiceError"
    list_lag: float = 0.0
    result_bytes: int = 0
    callback_drop: bool = False
    callback_duplicate: bool = False
    callback_reorder: bool = False
    callback_forged: str | None = None


@dataclass(frozen=True)
class Task:
    """`due_at` is the time of the next change of status; None if there is none."""

    id: str
    spec: Spec
    plan: Plan
    status: str
    created_at: float
    updated_at: float
    due_at: float | None
    error_code: str | None = None
    callback_url: str | None = None
    base_url: str = ""
    deleted: bool = False

    @property
    def expires_at(self) -> float:
        return self.created_at + self.spec.execution_expires_after

    @property
    def listable_from(self) -> float:
        return self.created_at + self.plan.list_lag

    @property
    def record_expires_at(self) -> float:
        """Ark keeps records for 7 days, cancelled ones for 24 h."""
        if self.status == "cancelled":
            return self.updated_at + CANCELLED_RECORD_SECONDS
        return self.created_at + RECORD_SECONDS

    @property
    def url_expires_at(self) -> float:
        """Ark: a result URL is valid for 24 h from success."""
        return self.updated_at + URL_LIFETIME_SECONDS

    @property
    def makes_video(self) -> bool:
        return self.plan.end == "succeed"


def accept(
    task_id: str, spec: Spec, plan: Plan, *, now: float, callback_url: str | None = None, base_url: str = ""
) -> Task:
    task = Task(task_id, spec, plan, "queued", now, now, None, callback_url=callback_url, base_url=base_url)
    return replace(task, due_at=min(now + plan.queue_seconds, task.expires_at))


def step(task: Task, at: float) -> Task:
    """The task after the change that is due at `at`."""
    if task.status == "queued" and at < task.expires_at:
        return _run(task, at)
    if task.plan.end == "expire" or at >= task.expires_at:
        return _end(task, "expired", at)
    if task.plan.end == "fail":
        return replace(_end(task, "failed", at), error_code=task.plan.fail_code)
    return _end(task, "succeeded", at)


def fail(task: Task, at: float, code: str) -> Task:
    return replace(_end(task, "failed", at), error_code=code)


def delete(task: Task, now: float) -> Task:
    """Ark: cancels a queued task, removes a finished one, and refuses for a running one (409)."""
    if task.status == "queued":
        return _end(task, "cancelled", now)
    if task.status == "running":
        message = "Cannot delete task because it is currently running"
        raise ApiError("InvalidAction.RunningTaskDeletion", message)
    if task.status == "cancelled":
        message = "Cannot delete task because it is cancelled"
        raise ApiError("InvalidAction.CancelledTaskDeletion", message, status=409)
    return replace(task, deleted=True)


def visible(task: Task, now: float) -> bool:
    return not task.deleted and now < task.record_expires_at


def _run(task: Task, at: float) -> Task:
    due = None if task.plan.end == "hang" else min(at + task.plan.run_seconds, task.expires_at)
    return replace(task, status="running", updated_at=at, due_at=due)


def _end(task: Task, status: str, at: float) -> Task:
    return replace(task, status=status, updated_at=at, due_at=None)


def to_record(task: Task) -> dict[str, Any]:
    return asdict(task)


def from_record(record: dict[str, Any]) -> Task:
    spec = Spec(**{**record["spec"], "tools": tuple(record["spec"]["tools"])})
    return Task(**{**record, "spec": spec, "plan": Plan(**record["plan"])})
