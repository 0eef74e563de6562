"""The credits service alone on a real server, and what its neighbours would say and ask."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nats.js.errors import NotFoundError
from tests.support.data.ledger_entries import price
from tests.support.environments.databases import database_url
from tests.support.eventually import eventually_async
from tests.support.servers.instances import NatsServer

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_chassis.nats.request import request_with_retry
from telecine_chassis.runtime.service import Service
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.commands import GrantCredits, LedgerAnswer, LedgerCommand
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.examples import example
from telecine_contracts.gateway import GenerationRequested, Kind, VideoParameters
from telecine_contracts.generation import FailureCode, GenerationFailed, Stage
from telecine_contracts.storage import VideoStored
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_credits.app import build
from telecine_credits.handlers.expire import expiry_timer
from telecine_credits.settings import Settings
from telecine_jetstream.client import NatsClient

__all__ = ["CreditsEnvironment", "credits_environment", "last_action_is"]


@dataclass
class CreditsEnvironment:
    """A server with its streams, and the service while it runs."""

    connection: NatsClient
    store: JetStreamEventStore
    settings: Settings
    service: Service | None = None

    async def start(self) -> None:
        """Start the service (again)."""
        self.service = build(self.settings)
        await self.service.start()

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if self.service is not None:
            service, self.service = self.service, None
            await service.stop()

    async def ask(
        self, subject: str, body: LedgerCommand | bytes, headers: dict[str, str] | None = None
    ) -> LedgerAnswer:
        """Send a command and wait for its outcome."""
        plain = body if isinstance(body, bytes) else body.model_dump_json().encode()
        # Retried: a service that has just started may not have subscribed at the server yet.
        answer = await request_with_retry(self.connection, subject, plain, timeout=5, headers=headers)
        return LedgerAnswer.model_validate_json(answer.data)

    async def grant(self, amount: int, account: str = "ann", **fields: Any) -> LedgerAnswer:
        """Give credits."""
        request = GrantCredits(
            **({"reference": secrets.token_hex(8)} | fields), account=account, amount=amount
        )
        return await self.ask(GrantCredits.subject, request)

    async def requested(
        self, credits: int, *, account: str = "ann", generation: str = "", api_key: str | None = None
    ) -> str:
        """Ask for a generation at this price as the gateway would; its id."""
        generation = generation or f"g-{secrets.token_hex(8)}"
        parameters = VideoParameters(
            model=DEFAULT_MODEL, prompt="rain", resolution="720p", ratio="16:9", duration=5
        )
        event = GenerationRequested(
            account=account,
            generation=generation,
            kind=Kind.TEXT_TO_VIDEO,
            parameters=parameters,
            price=price(credits),
            digest="0" * 64,
            api_key=api_key,
        )
        await self.append(event)
        return generation

    async def delivered(self, generation: str, account: str = "ann") -> None:
        """Tell of a stored video as storage would."""
        about = {"account": account, "generation": generation}
        await self.append(example(VideoStored).model_copy(update=about))

    async def failed(self, generation: str, account: str = "ann") -> None:
        """Tell of a failure as generation would."""
        failed = GenerationFailed(
            account=account,
            generation=generation,
            stage=Stage.PROVIDER,
            code=FailureCode.DEADLINE,
            message="…",
        )
        await self.append(failed)

    async def append(self, event: Event) -> None:
        """Append an event of another service after what its aggregate has."""
        aggregate = subjects.video(*event.aggregate)
        before = await self.store.load(aggregate)
        envelope = Envelope(
            id=secrets.token_hex(16),
            source=f"telecine/{event.written_by}",
            type=event.type,
            time=datetime.now(UTC),
            subject=subjects.of_event(event),
            correlation="c",
            causation="c",
        )
        expected = before[-1].sequence if before else 0
        await self.store.append(event, envelope, aggregate=aggregate, expected=expected)

    async def ledger(self, account: str = "ann") -> list[LedgerEvent]:
        """The account's entries."""
        found = [recorded.event for recorded in await self.store.load(subjects.ledger(account))]
        return [event for event in found if isinstance(event, LedgerEvent)]

    async def until(
        self, good: Callable[[Sequence[LedgerEvent]], object], *, account: str = "ann", within: float = 10
    ) -> list[LedgerEvent]:
        """The account's entries as soon as they are as wanted."""

        async def is_good() -> object:
            return good(await self.ledger(account))

        await eventually_async(is_good, within=within, what=f"the ledger of {account} did not come to it")
        return await self.ledger(account)

    async def timer(self, grant: int, account: str = "ann") -> datetime | None:
        """When the timer of a grant's expiry is due; None: there is none."""
        kind, key = expiry_timer(account, grant).kind, expiry_timer(account, grant).key
        try:
            message = await self.connection.jetstream().get_last_msg(
                "TIMERS", subjects.timer_at("credits", kind, *key)
            )
        except NotFoundError:
            return None
        assert message.headers is not None
        return datetime.fromisoformat(message.headers["Nats-Schedule"].removeprefix("@at "))

    async def lose_timers(self) -> None:
        """Remove every timer that waits."""
        await self.connection.jsm().purge_stream("TIMERS")


@asynccontextmanager
async def credits_environment(
    nats: NatsServer, folder: Path, *, started: bool = True, **settings: Any
) -> AsyncIterator[CreditsEnvironment]:
    """The service on fresh streams and an empty database, `started` or not."""
    connection = await connect(nats.url, "tests")
    await provision(connection)
    facts: dict[str, Any] = {
        "nats_url": nats.url,
        "database_url": database_url(folder, "credits"),
        "sweep_interval": 0.3,
        "stop_grace": 1,
    }
    world = CreditsEnvironment(
        connection, JetStreamEventStore(connection, registry()), Settings(**(facts | settings))
    )
    try:
        if started:
            await world.start()
        yield world
    finally:
        await world.stop()
        await connection.close()


def last_action_is(action: str) -> Callable[[Sequence[LedgerEvent]], bool]:
    """Whether the last entry is this one."""
    return lambda entries: bool(entries) and entries[-1].action == action
