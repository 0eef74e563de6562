"""Plans a new task from the settings and the active faults."""

from telecine_emulator.settings import Settings, split_task_seconds
from telecine_emulator.tasks.task import Plan

from .registry import Fault, FaultRegistry

MODERATED = "OutputVideoSensitiveContentDetected"
FORGED_URL = "https://forged.invalid/video.mp4"


def plan_task(settings: Settings, faults: FaultRegistry, prompt: str) -> Plan:
    """The plan of a task; uses up one of the `times` of each task fault that matches the prompt."""
    times = faults.take("task_seconds", prompt)
    queued, running = (settings.queue_seconds, settings.run_seconds)
    if times and times.value:
        queued, running = split_task_seconds(float(times.value))
    end, code = _end(faults, prompt)
    lag = faults.take("list_lag", prompt)
    padded = faults.take("result_bytes", prompt)
    forged = faults.take("callback_forged", prompt)
    return Plan(
        queue_seconds=queued,
        run_seconds=running,
        end=end,
        fail_code=code,
        list_lag=lag.seconds(10) if lag else 0,
        result_bytes=int(padded.seconds(0)) if padded else 0,
        callback_drop=faults.take("callback_drop", prompt) is not None,
        callback_duplicate=faults.take("callback_duplicate", prompt) is not None,
        callback_reorder=faults.take("callback_reorder", prompt) is not None,
        callback_forged=(forged.value or FORGED_URL) if forged else None,
    )


def _end(faults: FaultRegistry, prompt: str) -> tuple[str, str]:
    """The planned end of the task, and the error code if it fails."""
    taken: Fault | None
    if taken := faults.take("moderation_output", prompt):
        return "fail", taken.value or MODERATED
    if taken := faults.take("fail", prompt):
        return "fail", taken.value or "InternalServiceError"
    for name in ("expire", "hang"):
        if faults.take(name, prompt):
            return name, ""
    return "succeed", ""
