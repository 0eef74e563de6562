"""Whether generations were dispatched in the order that the rule of the queue requires, from the QUEUE stream alone.

The rule, written here once more and not taken from the services: accounts that wait stand in a rotation. An account
comes to its end when its first generation begins to wait, and after each of its turns. The next to be dispatched is the
first account of the rotation that has fewer places than one account may have; of its generations the one with the
highest priority, then the one that entered first. A generation is dispatched at once only if that rule has no next.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from telecine_auditor.ledger.strict_json import parse_time
from telecine_auditor.sources.message import StoredMessage

__all__ = ["AccountTurns", "FairnessCheck", "Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """A decision that the rule does not allow. `sequence`: of the event on QUEUE."""

    sequence: int
    model: str
    account: str
    generation: str
    message: str


@dataclass(slots=True)
class AccountTurns:
    """What an account got of a model: generations dispatched, how many of them waited, and the longest wait."""

    dispatched: int = 0
    waited: int = 0
    longest: timedelta = timedelta(0)


@dataclass(slots=True)
class _Entry:
    generation: str
    priority: int
    at: datetime


@dataclass(slots=True)
class _Queue:
    waiting: dict[str, list[_Entry]] = field(default_factory=dict)
    rotation: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)

    def place_of(self, account: str, account_limit: int | None) -> bool:
        """Whether the account may have one more place."""
        return account_limit is None or list(self.running.values()).count(account) < account_limit

    def next(self, account_limit: int | None) -> tuple[str, str] | None:
        """Account and generation that are due, with a free place."""
        for account in self.rotation:
            if self.place_of(account, account_limit):
                # max() returns the first of equals: the one that entered first.
                return account, max(self.waiting[account], key=lambda each: each.priority).generation
        return None

    def take(self, account: str, generation: str, *, is_turn: bool) -> _Entry | None:
        """Remove a generation that waits; None if it does not."""
        entries = self.waiting.get(account, [])
        entry = next((each for each in entries if each.generation == generation), None)
        if entry is None:
            return None
        entries.remove(entry)
        if is_turn or not entries:
            self.rotation.remove(account)
        if not entries:
            del self.waiting[account]
        elif is_turn:
            self.rotation.append(account)
        return entry


class FairnessCheck:
    """Takes all entries of QUEUE in order.

    `is_partial`: the stream no longer has its first entries, so a generation may have begun to wait before.
    `unreadable` counts entries that are not events of a queue.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.turns: dict[tuple[str, str], AccountTurns] = {}
        self.entries = 0
        self.unreadable = 0
        self.lowered = 0
        self.is_partial = False
        self._queues: dict[str, _Queue] = {}

    def waiting(self) -> list[tuple[str, str, str, datetime]]:
        """Model, account, generation and time of entry of everything that still waits."""
        return [
            (model, account, entry.generation, entry.at)
            for model, queue in sorted(self._queues.items())
            for account in queue.rotation
            for entry in queue.waiting[account]
        ]

    def take(self, entry: StoredMessage) -> None:
        """Check and apply the next entry."""
        if not self.entries and entry.sequence > 1:
            self.is_partial = True
        self.entries += 1
        try:
            _, model, action = entry.subject.split(".")
            body = json.loads(entry.body)
            self._apply(self._queues.setdefault(model, _Queue()), model, action, body, entry.sequence)
        except (ValueError, TypeError, LookupError, AttributeError):
            self.unreadable += 1

    def _apply(self, queue: _Queue, model: str, action: str, body: dict[str, Any], sequence: int) -> None:
        if action == "capacity_lowered":
            self.lowered += 1
            return
        account, generation = str(body["account"]), str(body["generation"])
        at = parse_time(body["at"], "at")
        if action == "entered":
            if account not in queue.waiting:
                queue.rotation.append(account)
            queue.waiting.setdefault(account, []).append(_Entry(generation, int(body.get("priority", 0)), at))
        elif action == "left":
            queue.running.pop(generation, None)
            queue.take(account, generation, is_turn=False)
        elif action == "dispatched":
            for message in self._judge(queue, account, generation, body):
                self.violations.append(Violation(sequence, model, account, generation, message))
            self._dispatched(queue, model, account, generation, at)

    def _judge(self, queue: _Queue, account: str, generation: str, body: dict[str, Any]) -> list[str]:
        """What the rule does not allow about a dispatch."""
        limit, account_limit = body.get("limit"), body.get("account_limit")
        due = queue.next(account_limit)
        does_wait = any(each.generation == generation for each in queue.waiting.get(account, ()))
        found = []
        if generation in queue.running:
            found.append("has a place already")
        if limit is not None and len(queue.running) >= limit:
            found.append(f"got a place although all {limit} were occupied")
        if not queue.place_of(account, account_limit):
            found.append(f"got a place although the account had its {account_limit}")
        if due is not None and due != (account, generation) and (does_wait or not self.is_partial):
            found.append(f"jumped the queue: {due[1]} of {due[0]} was next")
        return found

    def _dispatched(self, queue: _Queue, model: str, account: str, generation: str, at: datetime) -> None:
        turns = self.turns.setdefault((model, account), AccountTurns())
        turns.dispatched += 1
        entry = queue.take(account, generation, is_turn=True)
        if entry is not None:
            turns.waited += 1
            turns.longest = max(turns.longest, at - entry.at)
        queue.running[generation] = account
