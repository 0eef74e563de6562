"""Provider usage against settled credits: sums, and lists of everything that does not match."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telecine_auditor.timestamps import from_microseconds, to_microseconds

from .usage_store import UsageStore

__all__ = ["LISTS", "Finding", "Group", "Listing", "PossibleTask", "Reconciliation"]

_TOKENS = (
    "(SELECT sum(tokens) FROM task WHERE task.account = g.account AND generation = g.id AND how = '{how}')"
)
_PERIOD = "(:since IS NULL OR g.at >= :since) AND (:until IS NULL OR g.at < :until)"
_GROUPS = f"""
    SELECT g.model, g.resolution, g.duration,
           coalesce(sum(g.outcome = 'settled'), 0),
           coalesce(sum(CASE WHEN g.outcome = 'settled' THEN g.credits - g.returned END), 0),
           coalesce(sum(CASE WHEN g.outcome = 'settled' THEN {_TOKENS.format(how="ready")} END), 0),
           coalesce(sum(CASE WHEN g.outcome IS NOT 'settled' THEN {_TOKENS.format(how="ready")} END), 0)
           + coalesce(sum({_TOKENS.format(how="late_result")}), 0)
    FROM generation g WHERE {_PERIOD} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - of constants alone
_FINDING = """
    SELECT g.account, g.id, task.id, task.tokens, coalesce(g.outcome, 'not on the ledger'), {note}
    FROM generation g {join} JOIN task ON task.account = g.account AND task.generation = g.id
    WHERE {period} AND {which} ORDER BY g.at, g.account, g.id, task.id
"""


_POSSIBLE = f"""
    SELECT g.account, g.id, a.number, a.mark, a.seed, a.begun, a.closed, a.how
    FROM generation g JOIN attempt a ON a.account = g.account AND a.generation = g.id
    WHERE {_PERIOD} AND a.how IS NOT NULL ORDER BY g.at, g.account, g.id, a.number
"""  # noqa: S608 - of constants alone


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of generations that do not match; `message` defines which belong to it."""

    name: str
    title: str
    message: str
    which: str
    note: str = "coalesce(task.status, g.code, g.ending, '')"
    every_task: bool = False

    def query(self) -> str:
        """The query whose rows are Findings."""
        join = "" if self.every_task else "LEFT"
        return _FINDING.format(note=self.note, join=join, period=_PERIOD, which=self.which)


LISTS = (
    Listing(
        "settled_without_usage",
        "settled without usage",
        "The user paid, and no VideoReady reports what the provider used.",
        "g.outcome = 'settled' AND NOT EXISTS (SELECT 1 FROM task t WHERE t.account = g.account"
        " AND t.generation = g.id AND t.how = 'ready' AND t.tokens IS NOT NULL)",
    ),
    Listing(
        "usage_not_settled",
        "usage without payment",
        "The provider made the video in time (VideoReady), and the generation is not settled: the copy failed and\n"
        "the credits went back, or it still runs (held).",
        "task.how = 'ready' AND g.outcome IS NOT 'settled'",
        every_task=True,
    ),
    Listing(
        "late_results",
        "late results",
        "The task ended at the provider after its generation had ended here (generation.late_result.v1). The provider\n"
        "may bill these tokens; the user was refunded before.",
        "task.how = 'late_result'",
        every_task=True,
    ),
    Listing(
        "orphans",
        "orphans",
        "The generation ended here and the outcome at the provider is unknown: whether it accepted the last attempt\n"
        "(submission_unresolved), or how its task ended (deadline, provider_lost, and no late result since).",
        "(g.code = 'submission_unresolved' AND task.id IS NULL"
        " OR g.code IN ('submission_unresolved', 'deadline', 'provider_lost') AND task.how = 'submitted')",
    ),
    Listing(
        "without_end",
        "submissions without an end",
        "A submission was started, and the generation is neither ready nor failed nor cancelled: it still runs,\n"
        "or is stuck.",
        "g.claimed = 1 AND g.ending IS NULL",
        note="CASE WHEN task.id IS NULL THEN 'no task yet' ELSE 'running' END",
    ),
    Listing(
        "several_tasks",
        "more than one task for a generation",
        "Events of one generation name several tasks of the provider: it may bill each of them.",
        "(SELECT count(*) FROM task t WHERE t.account = g.account AND t.generation = g.id) > 1",
        note="coalesce(task.status, task.how)",
        every_task=True,
    ),
)
_OVER = Listing(
    "over_the_rate",
    "more tokens than the credits pay for",
    "The settled credits, times the tokens that a credit pays for, are less than what the provider used.",
    "g.outcome = 'settled' AND task.how = 'ready' AND task.tokens > (g.credits - g.returned) * :rate",
    note="(g.credits - g.returned) || ' credits'",
    every_task=True,
)


@dataclass(frozen=True, slots=True)
class Group:
    """Generations of one model, resolution and duration (None: erased from VIDEO).

    `credits` are settled and not returned; `tokens` is what the provider used for those generations, `unpaid` what it
    used for all others, including late results.
    """

    model: str | None
    resolution: str | None
    duration: int | None
    settled: int
    credits: int
    tokens: int
    unpaid: int

    @property
    def rate(self) -> str | None:
        """Tokens for each credit, truncated to two decimals; None without credits."""
        if not self.credits:
            return None
        whole, part = divmod(self.tokens * 100 // self.credits, 100)
        return f"{whole}.{part:02d}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a list: a generation, one of its tasks, and what the provider used for it where that is known."""

    account: str
    generation: str
    task: str | None
    tokens: int | None
    outcome: str
    note: str


@dataclass(frozen=True, slots=True)
class PossibleTask:
    """A task that the provider may have and bill, although it did not list it: the response to an attempt was lost.

    It has the mark (`safety_identifier`) and the seed, and was created between `begun_at` and `closed_at`. `how`:
    proven_absent (it was not listed, and submitted again) or submission_unresolved (the generation failed).
    """

    account: str
    generation: str
    attempt: int
    safety_identifier: str | None
    seed: int | None
    begun_at: datetime
    closed_at: datetime
    how: str


@dataclass(frozen=True)
class Reconciliation:
    """A complete usage store, and the period in which generations were requested. `rate`: tokens for a credit."""

    book: UsageStore
    since: datetime | None = None
    until: datetime | None = None
    rate: int | None = None

    def groups(self) -> Sequence[Group]:
        """Sums, ordered by model, resolution and duration, without groups in which nothing was used or settled."""
        groups = (Group(*row) for row in self._rows(_GROUPS))
        return [group for group in groups if group.settled or group.tokens or group.unpaid]

    def total(self) -> Group:
        """The sums of all groups."""
        found = self.groups()
        sums = [
            sum(getattr(group, name) for group in found)
            for name in ("settled", "credits", "tokens", "unpaid")
        ]
        return Group("total", "", None, *sums)

    def listings(self) -> Sequence[Listing]:
        """All lists."""
        return (*LISTS, _OVER) if self.rate is not None else LISTS

    def findings(self, listing: Listing) -> Iterator[Finding]:
        """The rows of a list, in the order in which the generations were requested."""
        return (Finding(*row) for row in self._rows(listing.query()))

    def possible_tasks(self) -> Iterator[PossibleTask]:
        """Every attempt whose response was lost, with the marks to look for in the provider's list and on its bill."""
        for account, generation, attempt, mark, seed, begun, closed, how in self._rows(_POSSIBLE):
            yield PossibleTask(
                account,
                generation,
                attempt,
                mark,
                seed,
                from_microseconds(begun),
                from_microseconds(closed),
                how,
            )

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        ends = {"since": self.since, "until": self.until}
        values = {name: None if time is None else to_microseconds(time) for name, time in ends.items()}
        return self.book.rows(query, {**values, "rate": self.rate})
