"""Generations with tasks, usage and payment, as the two streams record them."""

from datetime import timedelta
from typing import Any

from tests.support.audit.streams import StreamBuilder, november_time

from telecine_auditor.breaches import Breach
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.reports.usage_store import UsageStore
from telecine_contracts import Event
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_contracts.generation import (
    FailureCode,
    GenerationFailed,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
    SubmissionStarted,
    Usage,
    VideoReady,
)
from telecine_credits.rules.commands import Refund, Settle, TimedCommand

__all__ = ["UsageHistory"]

HOUR = timedelta(hours=1)


class UsageHistory:
    """One account with credits; every generation is asked for at noon of its own day, from the first on."""

    def __init__(self) -> None:
        self.streams = StreamBuilder()
        self.day = 0
        self.streams.do(
            TimedCommand(
                GrantCredits(account="ann", amount=5000, kind=GrantKind.PAID, reference="r"),
                november_time(1, 1),
            )
        )

    def asked(self, generation: str, *, resolution: str = "720p") -> str:
        self.day += 1
        self.streams.ask(generation, november_time(self.day), resolution=resolution)
        return generation

    def say(self, event: type[Event], generation: str, **fields: Any) -> None:
        self.streams.say(
            event(account="ann", generation=generation, **fields), november_time(self.day) + HOUR
        )

    def started(self, generation: str, attempt: int = 1) -> None:
        fields = {"owner": "g", "seed": 1, "seed_is_unique": True, "safety_identifier": "s"}
        times = {"started_at": november_time(self.day), "lease_until": november_time(self.day)}
        self.say(SubmissionStarted, generation, attempt=attempt, **fields, **times)

    def submitted(self, generation: str, task: str) -> None:
        self.started(generation)
        times = {"submitted_at": november_time(self.day), "deadline_at": november_time(self.day)}
        self.say(GenerationSubmitted, generation, attempt=1, provider="ark", provider_task_id=task, **times)

    def ready(self, generation: str, task: str, tokens: int | None) -> None:
        usage = Usage(total_tokens=tokens)
        url = {"url": "https://provider.example/v.mp4", "url_expires_at": november_time(self.day)}
        self.say(VideoReady, generation, provider_task_id=task, usage=usage, **url)

    def failed(self, generation: str, code: FailureCode) -> None:
        self.say(GenerationFailed, generation, stage=Stage.PROVIDER, code=code, message="sorry")
        self.streams.do(
            TimedCommand(
                Refund(account="ann", generation=generation, reason=code.value), november_time(self.day, 14)
            )
        )

    def late(self, generation: str, task: str, tokens: int) -> None:
        usage = Usage(total_tokens=tokens)
        self.say(
            LateResultRecorded, generation, provider_task_id=task, provider_status="succeeded", usage=usage
        )

    def settled(self, generation: str) -> int:
        return self.streams.do(
            TimedCommand(Settle(account="ann", generation=generation), november_time(self.day, 14))
        ).entry

    def video_for(self, generation: str, tokens: int | None, **asked: str) -> int:
        self.asked(generation, **asked)
        self.submitted(generation, f"task-{generation}")
        self.ready(generation, f"task-{generation}", tokens)
        return self.settled(generation)

    def fill(self, book: UsageStore) -> LedgerReplay:
        """Take both streams into a store; the replay of the ledger."""
        replay = LedgerReplay(_refuse)
        for entry in self.streams.video:
            book.video(entry)
        for entry in self.streams.ledger:
            reading = replay.take(entry)
            assert reading is not None
            book.ledger(reading)
        book.outcomes(replay)
        return replay


def _refuse(breach: Breach) -> None:
    raise AssertionError(str(breach))
