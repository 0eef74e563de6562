"""A gateway on real parts, in this process: nats-server, the credits service, HTTP over loopback."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from pydantic import BaseModel
from tests.support.environments.databases import database_url
from tests.support.servers.instances import NatsServer

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.nats.connection import connect
from telecine_chassis.runtime.bootstrap import utc_now
from telecine_cli.price_catalog import publish_first_prices
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.ports import free_port
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.commands import GrantCredits, LedgerAnswer, LedgerCommand
from telecine_contracts.dispatch import QueueEvent
from telecine_contracts.permissions import OPERATOR
from telecine_contracts.price_files import built_in_table
from telecine_contracts.subjects import of_event
from telecine_credits.app import build as build_credits
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import TimedCommand
from telecine_credits.rules.decider import decide
from telecine_credits.settings import Settings as CreditsSettings
from telecine_gateway.access import key_rules
from telecine_gateway.access.api_keys import DEFAULT_SCOPES, NewKey, new_key
from telecine_gateway.access.key_rules import CreateKey, Keys, RevokeKey
from telecine_gateway.app import build
from telecine_gateway.settings import Settings

__all__ = [
    "AccountClient",
    "Gateway",
    "GatewayEnvironment",
    "assert_matches_schema",
    "gateway_environment",
    "settings_for",
]

ACCOUNT = "acme"


def settings_for(nats: NatsServer, folder: Path, **changes: Any) -> Settings:
    """A gateway's settings on this test's parts, with a port of its own."""
    port = free_port()
    values: dict[str, Any] = {
        "nats_url": nats.url,
        "http_port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "database_url": database_url(folder, f"gateway-{port}"),
        "s3_endpoint": "http://127.0.0.1:9",
        "s3_access_key": "unused",
        "s3_secret_key": "nothing but the tests",
        "content_secret": "content secret of the tests 7mQ2vX9rTb4K",
        "callback_secret": "callback secret of the tests Zk3Jw8YdPq6N",
    }
    return Settings(**(values | changes))


@dataclass(frozen=True)
class Gateway:
    """A running gateway and a client of it without a key."""

    settings: Settings
    http: httpx.AsyncClient

    async def ready(self) -> None:
        """Until /readyz answers 200."""
        for _ in range(400):
            if (await self.http.get("/readyz")).status_code == 200:
                return
        raise AssertionError("the gateway is not ready")


@dataclass
class AccountClient:
    """An account with a key, speaking to one gateway."""

    account: str
    key: NewKey
    http: httpx.AsyncClient

    def headers(self, **more: str) -> dict[str, str]:
        """The credentials, and `more` headers (underscores for dashes)."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.key.secret}", **named}

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """GET with the key."""
        return await self.http.get(path, params=params, headers=self.headers())

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """POST JSON with the key."""
        return await self.http.post(path, json=body, headers=self.headers(**headers))

    async def generate(self, body: Mapping[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Ask for a video."""
        return await self.post("/api/video/generate", body or {"prompt": "a cat"}, **headers)

    async def status(self, generation: str, task: str | None = None) -> dict[str, Any]:
        """The status route's answer."""
        answer = await self.get("/api/video/status", taskId=task or generation, historyId=generation)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class GatewayEnvironment:
    """The parts of one test, and hands to act as the other services."""

    nats: NatsServer
    store: JetStreamEventStore
    folder: Path
    connection: Any
    sequences: dict[str, int] = field(default_factory=dict)
    suffix: str = ""
    """Of every account's name, so that the tests that share this environment do not meet in one account."""

    def for_test(self) -> "GatewayEnvironment":
        """The same servers, with accounts of one test's own."""
        return replace(self, suffix=f"-{uuid4().hex[:8]}")

    def account(self, name: str = ACCOUNT) -> str:
        """The full name of an account of this test."""
        return name if name.endswith(self.suffix) else f"{name}{self.suffix}"

    async def grant(self, account: str, amount: int, **more: Any) -> int:
        """Give credits through the credits service; the entry's number."""
        values = {"account": account, "amount": amount, "reference": str(uuid4())} | more
        answer = await self.command(GrantCredits.subject, GrantCredits(**values))
        assert answer.done, answer.error
        assert answer.entry is not None
        return answer.entry

    async def command(self, subject: str, command: LedgerCommand) -> LedgerAnswer:
        """The credits service's answer to a command."""
        reply = await self.connection.request(subject, command.model_dump_json().encode(), timeout=5)
        return LedgerAnswer.model_validate_json(reply.data)

    async def entries(self, *commands: TimedCommand) -> None:
        """What the ledger's rules make of commands, each at its own time, without the credits service."""
        rules = Decider(Account(), decide, evolve)
        ledger = CommandHandler(self.store, rules, source="telecine/credits", clock=utc_now)
        for command in commands:
            cause = str(uuid4())
            await ledger.handle(subjects.ledger(command.command.account), command, Cause(cause, cause))

    def keys(self) -> CommandHandler[Any, Any]:
        """The command line's hands on the ACCESS stream."""
        rules = Decider(Keys(), key_rules.decide, key_rules.evolve)
        return CommandHandler(self.store, rules, source="telecine/operator", clock=utc_now)

    async def owner(
        self,
        gateway: Gateway,
        account: str = ACCOUNT,
        *,
        credits: int = 0,
        scopes: tuple[str, ...] = DEFAULT_SCOPES,
    ) -> AccountClient:
        """An account with a key that already works at `gateway`."""
        account = self.account(account)
        key = await self.key(account, scopes)
        if credits:
            await self.grant(account, credits)
        owner = AccountClient(account, key, gateway.http)
        for _ in range(400):
            answer = await owner.get("/api/credits")
            if answer.status_code == 200 and credits in (0, answer.json()["available"]):
                return owner
        raise AssertionError("the key did not begin to work")

    async def key(
        self, account: str, scopes: tuple[str, ...] = DEFAULT_SCOPES, expires_at: datetime | None = None
    ) -> NewKey:
        """A key for an account, made this moment."""
        key = new_key()
        command = CreateKey(
            account=account, key=key, name="test", at=utc_now(), scopes=scopes, expires_at=expires_at
        )
        await self.keys().handle(subjects.access(account), command, Cause(key.key_id, key.key_id))
        return key

    async def revoke(self, owner: AccountClient) -> None:
        """Revoke the owner's key."""
        command = RevokeKey(account=owner.account, key_id=owner.key.key_id)
        await self.keys().handle(subjects.access(owner.account), command)

    async def append(self, event: Event, *, time: datetime | None = None) -> int:
        """Append as if the service that owns the event had; the sequence."""
        if event.stream == "VIDEO":
            aggregate = subjects.video(event.about["account"], event.about["generation"])
        elif event.stream == "ACCESS":
            aggregate = subjects.access(event.about["account"])
        elif isinstance(event, QueueEvent):
            aggregate = subjects.queue(event.model)
        else:
            aggregate = subjects.ledger(event.about["account"])
        last = await self.load(aggregate)
        envelope = Envelope(
            id=str(uuid4()),
            source="telecine/test",
            type=event.type,
            time=time or datetime.now(UTC),
            subject=of_event(event),
            correlation=event.about.get("generation", "test"),
            causation="test",
        )
        expected = last[-1].sequence if last else 0
        return await self.store.append(event, envelope, aggregate=aggregate, expected=expected)

    async def load(self, aggregate: str) -> list[RecordedEvent]:
        """What an aggregate's stream holds."""
        return list(await self.store.load(aggregate))

    @asynccontextmanager
    async def gateway(self, **changes: Any) -> AsyncIterator[Gateway]:
        """A gateway of this world with a database of its own."""
        settings = settings_for(self.nats, self.folder, **changes)
        service = build(settings)
        await service.start()
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{settings.http_port}", trust_env=False, timeout=30
            ) as client:
                gateway = Gateway(settings, client)
                await gateway.ready()
                yield gateway
        finally:
            await service.stop()

    @asynccontextmanager
    async def credits(self) -> AsyncIterator[None]:
        """The real credits service, running."""
        database = database_url(self.folder, "credits")
        service = build_credits(CreditsSettings(nats_url=self.nats.url, database_url=database))
        await service.start()
        try:
            yield
        finally:
            await service.stop()


def assert_matches_schema(model: type[BaseModel], body: Any) -> None:
    """The body has the documented fields and no others, and the model would write it the same way."""
    assert model.model_validate(body).model_dump(mode="json", by_alias=True, exclude_unset=True) == body


@asynccontextmanager
async def gateway_environment(nats: NatsServer, folder: Path) -> AsyncIterator[GatewayEnvironment]:
    """Provisioned streams and a connection of the test's own."""
    connection = await connect(nats.url, "test")
    try:
        await provision(connection)
        await publish_first_prices(connection, built_in_table(), OPERATOR)
        yield GatewayEnvironment(nats, JetStreamEventStore(connection, registry()), folder, connection)
    finally:
        await connection.close()
