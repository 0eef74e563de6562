"""Create requests: validation, faults and limits, then the task and its journal entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from telecine_emulator.api import content, validation, video_models
from telecine_emulator.api.errors import ApiError
from telecine_emulator.faults.registry import Fault, error_of_fault, matches_route
from telecine_emulator.faults.task_plan import plan_task
from telecine_emulator.state import Emulator

from . import task as tasks
from .spec import Spec, ValidatedRequest, resolve
from .store import Entry
from .task import Task

INPUT_MODERATED = "InputTextSensitiveContentDetected"
RATE_LIMITED = "ModelAccountRpmRateLimitExceeded"
ANSWER_FAULTS = ("error_after_accept", "drop_after_accept", "slow_accept")
MAX_JOURNAL_TEXT = 200


@dataclass(frozen=True)
class Request:
    """A create request: its body without nulls, the headers for the journal, and the emulator's own address."""

    body: Any
    headers: dict[str, str]
    base_url: str

    @property
    def prompt(self) -> str:
        """The request's text, which faults may match; empty if the body has none."""
        items = self.body.get("content") if isinstance(self.body, Mapping) else None
        return content.read(items).text if items else ""


@dataclass(frozen=True)
class Accepted:
    """A created task, and the fault for the response if there is one."""

    task: Task
    fault: Fault | None


def create(emulator: Emulator, request: Request) -> Accepted:
    """Creates a task or raises `ApiError`. The journal entry is written first in both cases."""
    try:
        task = _task(emulator, request)
    except ApiError as error:
        write_journal_entry(emulator, request, f"refused:{error.code}")
        raise
    fault = _answer_fault(emulator, request.prompt)
    with emulator.store.transaction():
        emulator.store.save(task)
        write_journal_entry(emulator, request, f"accepted:{fault.name}" if fault else "accepted", task.id)
    emulator.callbacks.notify(task)
    emulator.scheduler.watch(task)
    return Accepted(task, fault)


def write_journal_entry(
    emulator: Emulator, request: Request, outcome: str, task_id: str | None = None
) -> None:
    """Writes a create request into the journal."""
    body = _shortened(request.body)
    emulator.store.append_journal(
        Entry(emulator.clock.now(), "create", task_id, outcome, body, request.headers)
    )


def _task(emulator: Emulator, request: Request) -> Task:
    _refuse_by_fault(emulator, request.prompt)
    wanted = _valid(emulator, request.body)
    if emulator.faults.take("moderation_input", request.prompt):
        raise ApiError(INPUT_MODERATED, "The request failed because the input may be sensitive")
    _check_caps(emulator)
    spec = _spec_from_draft(emulator, resolve(wanted, emulator.random))
    return tasks.accept(
        emulator.new_id(spec.service_tier),
        spec,
        plan_task(emulator.settings, emulator.faults, request.prompt),
        now=emulator.clock.now(),
        callback_url=wanted.body.get("callback_url"),
        base_url=request.base_url,
    )


def _refuse_by_fault(emulator: Emulator, prompt: str) -> None:
    faults = emulator.faults
    if fault := faults.take("rate_limit", prompt, matches_route("create", "create")):
        raise error_of_fault(fault, RATE_LIMITED, "The requests come too fast")
    if faults.take("error_before_accept", prompt):
        raise ApiError("InternalServiceError", "The service met an unexpected internal error")
    if fault := faults.take("refuse", prompt, matches_route("create", "create")):
        raise error_of_fault(fault, "InvalidParameter", "The request was refused")


def _valid(emulator: Emulator, body: Any) -> ValidatedRequest:
    if not isinstance(body, Mapping):
        raise ApiError("InvalidParameter", "The request's body is not a JSON object")
    if problem := validation.missing_field(body):
        raise ApiError.of(problem)
    model = video_models.find(body["model"])
    if model is None:
        message = f"The account has not activated the model {body['model']}, or it does not exist"
        raise ApiError("ModelNotOpen", message, param="model")
    read = content.read(body["content"])
    if problems := validation.problems(body, read, model):
        # Ark reports one invalid field, and not always the same one.
        raise ApiError.of(emulator.random.choice(problems))
    return ValidatedRequest(body, read, model, emulator.settings.text_commands_win)


def _check_caps(emulator: Emulator) -> None:
    concurrency, queue_cap = emulator.settings.concurrency, emulator.settings.queue_cap
    if queue_cap is None:
        return
    waiting = ("queued",) if concurrency is None else ("queued", "running")
    if emulator.store.count(*waiting) < queue_cap + (concurrency or 0):
        return
    if queue_cap == 0:
        raise ApiError("InflightBatchsizeExceeded", "Too many tasks are running")
    raise ApiError("QuotaExceeded", "Too many tasks are queued")


def _spec_from_draft(emulator: Emulator, spec: Spec) -> Spec:
    """The spec with the draft's prompt and media, if the task continues a draft."""
    if spec.draft_task is None:
        return spec
    draft = emulator.store.find(spec.draft_task)
    if draft is None or not draft.spec.draft or draft.status != "succeeded":
        message = "draft_task is not a draft that succeeded"
        raise ApiError("InvalidParameter", message, param="content.draft_task")
    source = draft.spec
    return replace(spec, prompt=source.prompt, media=source.media, task_type=source.task_type)


def _answer_fault(emulator: Emulator, prompt: str) -> Fault | None:
    taken = (emulator.faults.take(name, prompt) for name in ANSWER_FAULTS)
    if fault := next((fault for fault in taken if fault), None):
        return fault
    return emulator.faults.take("garbage_body", prompt, matches_route("create", "create"))


def _shortened(value: Any) -> Any:
    """The body for the journal; embedded images are truncated."""
    if isinstance(value, Mapping):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > MAX_JOURNAL_TEXT:
        return f"{value[:MAX_JOURNAL_TEXT]}… ({len(value)} characters)"
    return value
