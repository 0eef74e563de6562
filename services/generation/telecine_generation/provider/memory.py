"""In-memory provider for tests, with scripted responses; records its calls."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from telecine_contracts.generation import DeferralReason, FailureCode

from .port import (
    Accepted,
    Ambiguous,
    CancelOutcome,
    Deferred,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
    SubmitOutcome,
    SubmitRequest,
)

URL_LIFETIME = timedelta(hours=24)
ENDED = frozenset({"succeeded", "failed", "expired"})


class MemoryProvider:
    """A Provider that accepts submissions unless scripted otherwise; tasks stay queued until `advance`.

    `submitted` holds the request of each submission, `listings` the ids of each list call, `flex` the ids of the tasks
    in the offline tier.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._script: deque[tuple[SubmitOutcome, bool]] = deque()
        self._outage = 0
        self._accepted = 0
        self._hidden: set[str] = set()
        self.flex: set[str] = set()
        self.records: dict[str, ProviderTask] = {}
        self.submitted: list[SubmitRequest] = []
        self.listings: list[tuple[str, ...]] = []
        self.cancelled: list[str] = []

    def refuse(self, code: FailureCode, provider_code: str, message: str) -> None:
        """Scripts the next submission to be refused."""
        self._script.append((Refused(code, provider_code, message), False))

    def defer(
        self, reason: DeferralReason, provider_code: str | None, retry_after: float | None = None
    ) -> None:
        """Scripts the next submission to be deferred."""
        self._script.append((Deferred(reason, provider_code, retry_after), False))

    def lose(self, *, accepted: bool, reason: str = "timeout") -> None:
        """Scripts the response to the next submission to be lost, whether it was `accepted` or not."""
        self._script.append((Ambiguous(reason), accepted))

    def advance(self, task_id: str, status: str, **changes: Any) -> None:
        """Sets the task's status and other fields of ProviderTask."""
        task = self.records[task_id]
        self.records[task_id] = replace(task, status=status, updated_at=self._clock(), **changes)

    def succeed(self, task_id: str, video_url: str | None = None) -> None:
        """Finishes the task; its video URL is valid for 24 h."""
        self.advance(
            task_id,
            "succeeded",
            video_url=video_url or f"https://provider.invalid/{task_id}.mp4",
            video_url_expires_at=self._clock() + URL_LIFETIME,
            total_tokens=108_900,
        )

    def fail(self, task_id: str, code: FailureCode, provider_code: str, message: str) -> None:
        """Fails the task; `message` is for the user."""
        self.advance(
            task_id,
            "failed",
            error_code=provider_code,
            error_message=message,
            failure_code=code,
            failure_message=message,
        )

    def next_id(self) -> str:
        """The id of the next accepted task."""
        return f"cgt-memory-{self._accepted + 1:04}"

    def forget(self, task_id: str) -> None:
        """Removes the task's record, as the provider does after 7 days."""
        del self.records[task_id]

    def hide_next(self) -> None:
        """Omits the next task from lists until `show_all`, as a lagging list does."""
        self._hidden.add(self.next_id())

    def show_all(self) -> None:
        """Makes lists complete again."""
        self._hidden.clear()

    def fail_reads(self, times: int) -> None:
        """Makes the next `times` list and get calls fail."""
        self._outage = times

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """See Provider."""
        self.submitted.append(request)
        if not self._script:
            return Accepted(self._accept(request))
        outcome, accepted = self._script.popleft()
        if accepted:
            self._accept(request)
        return outcome

    async def tasks(self, task_ids: Sequence[str], *, flex: bool = False) -> Mapping[str, ProviderTask]:
        """See Provider."""
        self.listings.append(tuple(task_ids))
        self._read()
        return {task_id: self.records[task_id] for task_id in task_ids if task_id in self._listed(flex=flex)}

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """See Provider."""
        self._read()
        listed = [self.records[task_id] for task_id in self._listed(flex=mark.flex)]
        return next((task for task in listed if task.safety_identifier == mark.safety_identifier), None)

    async def cancel(self, task_id: str) -> CancelOutcome:
        """See Provider."""
        try:
            self._read()
            status = self.records[task_id].status
        except (KeyError, ProviderUnavailable):
            return CancelOutcome.UNKNOWN
        if status == "queued":
            self.cancelled.append(task_id)
            self.advance(task_id, "cancelled")
        if status in ("queued", "cancelled"):
            return CancelOutcome.CANCELLED
        if status == "running":
            return CancelOutcome.RUNNING
        return CancelOutcome.FINISHED if status in ENDED else CancelOutcome.UNKNOWN

    async def aclose(self) -> None:
        """See Provider."""

    def _accept(self, request: SubmitRequest) -> str:
        task_id = self.next_id()
        self._accepted += 1
        wanted = request.parameters
        if wanted.is_flex:
            self.flex.add(task_id)
        self.records[task_id] = ProviderTask(
            task_id=task_id,
            status="queued",
            model=request.model,
            seed=request.seed,
            safety_identifier=request.safety_identifier,
            created_at=self._clock(),
            updated_at=self._clock(),
            resolution=wanted.resolution,
            ratio=wanted.ratio,
            duration=float(wanted.duration),
        )
        return task_id

    def _listed(self, *, flex: bool) -> list[str]:
        """The tasks of one tier, without the hidden ones."""
        return [
            task_id
            for task_id in self.records
            if task_id not in self._hidden and (task_id in self.flex) is flex
        ]

    def _read(self) -> None:
        if self._outage:
            self._outage -= 1
            raise ProviderUnavailable("scripted")
