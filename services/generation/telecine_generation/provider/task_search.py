"""Search for the task of a submission in the pages of the provider's list. Pure."""

from datetime import datetime, timedelta

from .ark_wire import Page
from .port import ProviderTask, ProviderUnavailable, SubmissionMark


class TaskSearch:
    """Call `add_page` until it returns True; then `result` returns the task or None, or raises ProviderUnavailable.

    A record matches if it has our safety identifier or, if it has no identifier at all, our unique seed. The result
    is None only if every record that could match was seen and did not.
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
        """Examines the next page; returns True if no further page is needed."""
        new = [task for task in page.tasks if task.task_id not in self._seen]
        self._seen.update(task.task_id for task in new)
        self._unreadable += page.unreadable
        for task in new:
            self._look_at(task)
        return self._match is not None or self._is_past(page) or self._is_last(page, new)

    def result(self) -> ProviderTask | None:
        """The task, or None if it certainly does not exist. Raises ProviderUnavailable if the list is inconclusive."""
        if self._match is None and (self._undecided or self._unreadable):
            raise ProviderUnavailable("list_undecided")
        return self._match

    def _look_at(self, task: ProviderTask) -> None:
        if task.created_at:
            # The order is not documented; only if it was newest first so far may the search end early.
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
        # Either there are fewer pages than the total says, or the same page came twice.
        self._undecided |= page.total is not None or page.size > 0
        return True
