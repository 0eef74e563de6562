"""What happens when events arrive: waiting requests get their outcome, and reads wait for the new entries."""

from collections.abc import Mapping, Sequence
from functools import partial

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_contracts.credits import CreditsDebited, CreditsDenied, LedgerEvent
from telecine_contracts.gateway import VideoEvent
from telecine_gateway.domain import Generation, evolve

from .charges import Charge, apply_to_charge
from .consistency import ReadYourWrites, Waiters

__all__ = ["LiveUpdates"]

FRESHNESS_TIMEOUT = 2
"""Seconds that a read waits for its own account's last writes; then it is answered from the tables as they are."""


class LiveUpdates:
    """Connects the projections with the requests that wait.

    `outcomes`: requests for a generation, until it is paid for or denied. `progress`: cancels, until the generation
    service has answered.
    """

    def __init__(self, projections: ProjectionRunner) -> None:
        self.outcomes = Waiters[Charge]()
        self.progress = Waiters[Generation]()
        self.requests, self._ledger = (
            ReadYourWrites(partial(projections.sequence, name), partial(projections.hurry, name))
            for name in ("generations", "ledger")
        )
        self._entries = ReadYourWrites()
        self._projections = projections

    def subscribe(self) -> None:
        """Listen to the projections. Before start only."""
        self._projections.watch("generations", self._notify_progress)
        self._projections.listen("generations", lambda events: self.requests.advanced())
        self._projections.watch("ledger", self._notify_outcomes)
        self._projections.listen("ledger", lambda events: self._ledger.advanced())

    async def wait_until_current(self, account: str) -> None:
        """Until the tables show the account's own requests, and the entries that it was told about."""
        await self.requests.wait_until_visible(account, within=FRESHNESS_TIMEOUT)
        await self._ledger.wait_until_visible(account, within=FRESHNESS_TIMEOUT)

    async def wait_for_entry(self, account: str, entry: int) -> None:
        """Until the entry has arrived, so that every later read waits until the tables show it."""
        await self._entries.wait_for_write(account, entry, within=FRESHNESS_TIMEOUT)

    async def waiting_count(self) -> Mapping[str, float]:
        """How many requests wait, by what they wait for."""
        return {"outcome": len(self.outcomes), "cancel": len(self.progress)}

    def _notify_progress(self, events: Sequence[RecordedEvent]) -> None:
        for recorded in events:
            if isinstance(recorded.event, VideoEvent):
                news = evolve(Generation(), recorded.event)
                if news.cancel_declined or news.video_ready or news.ending:
                    self.progress.notify(recorded.event.generation, news)

    def _notify_outcomes(self, events: Sequence[RecordedEvent]) -> None:
        # Called before the tables are written: the response goes out at once, and a read that the client sends next
        # waits until the tables show the entry.
        for recorded in events:
            event = recorded.event
            assert isinstance(event, LedgerEvent)
            self._ledger.record_write(event.account, recorded.sequence)
            self._entries.record_write(event.account, event.entry)
            if isinstance(event, CreditsDebited | CreditsDenied):
                charge = apply_to_charge(None, event)
                assert charge is not None
                self.outcomes.notify(charge.generation, charge)
        self._entries.advanced()
