"""Searching the provider's list, page by page, for the task that a submission became. Pure."""

from datetime import datetime, timedelta

from .ark_wire import Page
from .port import ProviderTask, ProviderUnavailable, SubmissionMark


class TaskSearch:
    """Fed with pages until `take` says enough; then `result` is the task, None, or ProviderUnavailable.

    A record that echoes a safety identifier is ours if it is our identifier, and one that does not is ours
    if it has our unique seed. None is returned only if every record that could be ours was seen and was not.
    """

    def __init__(self, mark: SubmissionMark, skew: timedelta) -> None:
        self._mark = mark
        self._oldest = mark.since - skew
        self._match: ProviderTask | None = None
        self._undecided = False
        self._seen: set[str] = set()
        self._unreadable = 0
        self._previous: datetime | None = None
        self._newest_first = True

    def add_page(self, page: Page) -> bool:
        """Look at the next page; True when no further page is needed."""
        new = [task for task in page.tasks if task.task_id not in self._seen]
        self._seen.update(task.task_id for task in new)
        self._unreadable += page.unreadable
        for task in new:
            self._look_at(task)
        return self._match is not None or self._is_past(page) or self._is_last(page, new)

    def result(self) -> ProviderTask | None:
        """The task, or None if it certainly is not there. Raises ProviderUnavailable if nobody can tell."""
        if self._match is None and (self._undecided or self._unreadable):
            raise ProviderUnavailable("list_undecided")
        return self._match

    def _look_at(self, task: ProviderTask) -> None:
        if task.created_at:
            # Nobody promises the order; without newest first there is no early end.
            self._newest_first &= self._previous is None or task.created_at <= self._previous
            self._previous = task.created_at
        ours = self._is_ours(task)
        if ours:
            self._match = self._match or task
        elif ours is None and not self._is_old(task):
            self._undecided = True

    def _is_ours(self, task: ProviderTask) -> bool | None:
        if task.safety_identifier is not None:
            return task.safety_identifier == self._mark.safety_identifier
        if self._mark.seed is None or task.seed is None:
            return None
        return task.seed == self._mark.seed

    def _is_old(self, task: ProviderTask) -> bool:
        return task.created_at is not None and task.created_at < self._oldest

    def _is_past(self, page: Page) -> bool:
        return self._newest_first and bool(page.tasks) and all(map(self._is_old, page.tasks))

    def _is_last(self, page: Page, new: list[ProviderTask]) -> bool:
        if page.total is not None and len(self._seen) + self._unreadable >= page.total:
            return True
        if new or page.unreadable:
            return False
        # Either the pages ran out before the records did, or the same page came twice.
        self._undecided |= page.total is not None or page.size > 0
        return True
