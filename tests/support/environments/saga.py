"""The whole way of a generation on real parts, without the gateway: services in this process, parts beside it."""

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
from opentelemetry.sdk.trace.export import SpanExporter
from pydantic import SecretStr
from tests.support.environments.databases import database_url
from tests.support.processes import crash_point
from tests.support.servers.instances import NatsServer, S3Server

import telecine_credits.app
import telecine_credits.settings
import telecine_gateway.app
import telecine_gateway.settings
import telecine_generation.app
import telecine_generation.settings
import telecine_storage.app
import telecine_storage.settings
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.nats.connection import connect
from telecine_chassis.runtime.bootstrap import utc_now
from telecine_chassis.runtime.service import Service
from telecine_chassis.settings.base import ServiceSettings
from telecine_cli.price_catalog import publish_first_prices
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.commands import GrantCredits, LedgerAnswer
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.gateway import CancelRequested, GenerationRequested, Kind, VideoParameters
from telecine_contracts.permissions import OPERATOR
from telecine_contracts.price_files import built_in_table
from telecine_contracts.pricing import SEED_TABLE, Price, PricedInputs
from telecine_contracts.streams import CONSUMERS
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_gateway.access import key_rules
from telecine_gateway.access.api_keys import new_key
from telecine_gateway.access.key_rules import CreateKey, Keys
from telecine_jetstream.client import NatsClient

__all__ = ["Emulator", "Saga", "action_names", "emulator_process", "is_answering", "saga"]

KEY = "sandbox-key-5fR8uLc2Wd1B"
FAST_SETTINGS: dict[str, Any] = {
    "generation": {
        "provider_post_timeout": 2,
        "submission_lease": 1,
        "submission_absent_after": 1,
        "submission_retry_first": 0.2,
        "reconcile_interval": 0.3,
        "poll_interval": 0.2,
        "late_interval": 0.3,
        "deadline_silence": 1,
    },
    "storage": {"copy_retry_first": 0.1, "copy_source_tries": 3, "copy_refusal_tries": 2},
}
"""Settings that make a test wait for milliseconds where an operator would wait for minutes."""


SETTINGS: dict[str, Callable[..., ServiceSettings]] = {
    "gateway": telecine_gateway.settings.Settings,
    "credits": telecine_credits.settings.Settings,
    "generation": telecine_generation.settings.Settings,
    "storage": telecine_storage.settings.Settings,
}
BUILDERS: dict[str, Callable[..., Service]] = {
    "gateway": telecine_gateway.app.build,
    "credits": telecine_credits.app.build,
    "generation": telecine_generation.app.build,
    "storage": telecine_storage.app.build,
}


def _as_text(value: Any) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


@dataclass(frozen=True)
class Emulator:
    """A running emulator. `url` is the base URL that the provider client takes."""

    root: str
    process: Process

    @property
    def url(self) -> str:
        return f"{self.root}/api/v3"

    async def fault(
        self, name: str, value: str | None = None, *, times: int | None = 1, match: str = ""
    ) -> None:
        """Put a fault in force for requests whose prompt contains `match`."""
        body = {"name": name, "value": value, "times": times, "match": match or None}
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(f"{self.root}/admin/faults", json=body)).raise_for_status()

    async def submissions(self, generation: str) -> list[dict[str, Any]]:
        """Every create request that was made for a generation, as the emulator's journal has it."""
        async with httpx.AsyncClient(trust_env=False) as client:
            journal = (await client.get(f"{self.root}/admin/journal")).raise_for_status().json()
        mark = generation.replace("-", "")
        return [
            entry
            for entry in journal["entries"]
            if mark in str((entry.get("body") or {}).get("safety_identifier"))
        ]


def _price(wanted: dict[str, Any]) -> Price:
    """The seed's price; of a length that the model chooses, for each that the emulator may choose."""
    seconds = wanted["duration"]
    shortest = 4 if wanted.get("duration_chosen_by_model") else None
    inputs = PricedInputs(model=None, resolution=wanted["resolution"], seconds=seconds, shortest=shortest)
    return SEED_TABLE.quote(inputs)


@contextmanager
def emulator_process(folder: Path, *arguments: str) -> Iterator[Emulator]:
    """An emulator whose tasks take 0.3 s unless the arguments say otherwise."""
    port = free_port()
    command = Command(
        name="emulator",
        argv=(
            sys.executable, "-m", "telecine_emulator", "--host", LOOPBACK, "--port", str(port),
            "--data", str(folder / "emulator"), "--api-key", KEY, "--task-seconds", "0.3", *arguments,
        ),
        log=folder / "logs" / "emulator.log",
    )  # fmt: skip
    (folder / "emulator").mkdir(parents=True, exist_ok=True)
    emulator = Emulator(f"http://{LOOPBACK}:{port}", Process(command))

    async def is_answering() -> bool:
        answer = await http_answer(f"{emulator.root}/healthz")
        return answer is not None and answer[0] == 200

    emulator.process.start()
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(emulator.process.wait_ready(is_answering, 20))
        yield emulator
    finally:
        emulator.process.kill()
        loop.close()


def action_names(events: Sequence[RecordedEvent]) -> list[str]:
    """The actions of a timeline, e.g. requested, debited, submitted."""
    return [recorded.event.action for recorded in events]


class NatsEndpoint(Protocol):
    """NATS servers, one or several."""

    @property
    def url(self) -> str: ...


@dataclass
class Saga:
    """Services under test and what a test does with them."""

    connection: NatsClient
    store: JetStreamEventStore
    emulator: Emulator
    nats: NatsEndpoint
    s3: S3Server
    folder: Path
    bucket: str
    gateway_port: int = field(default_factory=free_port)
    services: dict[str, Service] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    spans: SpanExporter | None = None
    """Where the spans of services that are started in this process go, one by one."""

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers, once it is started."""
        return f"http://{LOOPBACK}:{self.gateway_port}"

    async def key(self, account: str) -> str:
        """An API key of the account."""
        key = new_key()
        rules = Decider(Keys(), key_rules.decide, key_rules.evolve)
        keys = CommandHandler(self.store, rules, source="telecine/operator", clock=utc_now)
        command = CreateKey(account=account, key=key, name="tests", at=utc_now())
        await keys.handle(subjects.access(account), command, Cause(key.key_id, key.key_id))
        return key.secret

    async def start(self, *services: str) -> None:
        """Start (again) the services with these names."""
        for name in services:
            self.services[name] = self._build(name)
            if self.spans is not None:
                self.services[name].tracing.export(self.spans, at_once=True)
            await self.services[name].start()

    async def start_another(self, name: str) -> None:
        """Start a second replica of a service, with a database of its own."""
        database = {"database_url": database_url(self.folder, f"{name}-another")}
        settings = self._settings(name).model_copy(update=database)
        self.services[f"{name}-another"] = BUILDERS[name](settings)
        await self.services[f"{name}-another"].start()

    def environment(self, name: str) -> dict[str, str]:
        """The environment of the same service as a process of its own."""
        values = {k: v for k, v in self._settings(name).model_dump().items() if v is not None}
        plain = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values.items()}
        return dict(os.environ) | {f"TELECINE_{k.upper()}": _as_text(v) for k, v in plain.items()}

    def process(self, name: str, *, die: tuple[str, str, int] | None = None) -> Process:
        """The service as a process, not yet started; `die`: at which call, before or after it, at the how manieth."""
        module = f"telecine_{name}"
        dying = crash_point.__file__
        script = [dying, module, *map(str, die)] if die else ["-m", module]
        argv = (sys.executable, *script)
        log = self.folder / "logs" / f"{name}.log"
        return Process(Command(name=name, argv=argv, log=log, env=self.environment(name)))

    async def stop(self, *services: str) -> None:
        """Stop them in order."""
        for name in services:
            await self.services.pop(name).stop()

    def _build(self, name: str) -> Service:
        return BUILDERS[name](self._settings(name))

    def _settings(self, name: str) -> ServiceSettings:
        own = {**FAST_SETTINGS.get(name, {}), **self.overrides.get(name, {})}
        facts: dict[str, Any] = {"nats_url": self.nats.url, "stop_grace": 2, "sweep_interval": 0.5}
        facts["database_url"] = database_url(self.folder, name)
        facts |= {"provider_base_url": self.emulator.url, "provider_api_key": KEY}
        facts |= {
            "s3_endpoint": self.s3.endpoint,
            "s3_bucket": self.bucket,
            "s3_access_key": self.s3.access_key,
            "s3_secret_key": self.s3.secret_key,
            "result_allow_private": True,
            "result_hosts": (),
        }
        facts |= {
            "http_port": self.gateway_port,
            "public_url": self.gateway_url,
            "content_secret": "content secret of the tests 7mQ2vX9rTb4K",
            "callback_secret": "callback secret of the tests Zk3Jw8YdPq6N",
        }
        return SETTINGS[name](**(facts | own))

    async def grant(self, account: str, amount: int) -> LedgerAnswer:
        """Give credits, once per call."""
        request = GrantCredits(account=account, amount=amount, reference=secrets.token_hex(8))
        answer = await self.connection.request(
            GrantCredits.subject, request.model_dump_json().encode(), timeout=5
        )
        return LedgerAnswer.model_validate_json(answer.data)

    async def request(
        self,
        account: str,
        prompt: str = "a lighthouse",
        *,
        cancel_after: int | None = None,
        **parameters: Any,
    ) -> str:
        """Ask for a generation as the gateway would; its id."""
        generation = f"g-{secrets.token_hex(8)}"
        wanted: dict[str, Any] = {
            "model": DEFAULT_MODEL,
            "resolution": "480p",
            "ratio": "16:9",
            "duration": 2,
        } | parameters
        event = GenerationRequested(
            account=account,
            generation=generation,
            kind=Kind.IMAGE_TO_VIDEO if "image_url" in wanted else Kind.TEXT_TO_VIDEO,
            parameters=VideoParameters(prompt=prompt, **wanted),
            price=_price(wanted),
            digest="0" * 64,
            cancel_after=cancel_after,
        )
        await self.append(event, generation, expected=0)
        return generation

    async def cancel(self, account: str, generation: str) -> None:
        """Wish for the end of a generation as the gateway would."""
        event = CancelRequested(account=account, generation=generation)
        version = (await self.video(account, generation))[-1].sequence
        await self.append(event, generation, expected=version)

    async def append(self, event: Event, correlation: str, *, expected: int) -> None:
        """Append an event of the VIDEO stream by hand."""
        envelope = Envelope(
            id=secrets.token_hex(16),
            source="telecine/gateway",
            type=event.type,
            time=datetime.now(UTC),
            subject=subjects.of_event(event),
            correlation=correlation,
            causation=correlation,
        )
        account, generation = event.aggregate
        await self.store.append(
            event, envelope, aggregate=subjects.video(account, generation), expected=expected
        )

    async def video(self, account: str, generation: str) -> Sequence[RecordedEvent]:
        """The generation's events on VIDEO."""
        return await self.store.load(subjects.video(account, generation))

    async def ledger(self, account: str) -> Sequence[RecordedEvent]:
        """The account's entries."""
        return await self.store.load(subjects.ledger(account))

    async def balances(self, account: str) -> dict[str, int]:
        """What the account has after its last entry."""
        last = (await self.ledger(account))[-1].event
        assert isinstance(last, LedgerEvent)
        return last.balances.model_dump()

    async def until(
        self, account: str, generation: str, *actions: str, within: float = 20, on_ledger: bool = False
    ) -> Sequence[RecordedEvent]:
        """The generation's events as soon as one of `actions` is among them."""

        async def load() -> Sequence[RecordedEvent]:
            if not on_ledger:
                return await self.video(account, generation)
            return [r for r in await self.ledger(account) if r.event.about.get("generation") == generation]

        found: Sequence[RecordedEvent] = await self.poll(
            load, lambda found: bool(set(action_names(found)) & set(actions)), within, f"{actions}"
        )
        return found

    async def closed(self, account: str, generation: str, within: float = 20) -> list[str]:
        """Wait until the hold is settled, refunded or denied; the generation's ledger actions."""
        found = await self.until(
            account, generation, "settled", "refunded", "denied", within=within, on_ledger=True
        )
        return action_names(found)

    async def poll(
        self,
        load: Callable[[], Any],
        good: Callable[[Any], bool],
        within: float,
        what: str,
    ) -> Any:
        """Ask until the answer is good; AssertionError after `within` seconds."""
        give_up = asyncio.get_running_loop().time() + within
        while True:
            found = await load()
            if good(found):
                return found
            seen = action_names(found) if found and isinstance(found[0], RecordedEvent) else found
            assert asyncio.get_running_loop().time() < give_up, f"waited for {what}, saw {seen}"
            await asyncio.sleep(0.02)


async def is_answering(http: httpx.AsyncClient) -> None:
    """Until the gateway knows the key."""

    async def known() -> bool:
        try:
            return (await http.get("/api/credits")).status_code == 200
        except httpx.TransportError:
            return False

    give_up = asyncio.get_running_loop().time() + 20
    while not await known():
        assert asyncio.get_running_loop().time() < give_up, "the gateway does not answer"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def saga(
    nats: NatsServer,
    s3: S3Server,
    emulator: Emulator,
    folder: Path,
    *,
    without: str = "",
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    spans: SpanExporter | None = None,
) -> AsyncIterator[Saga]:
    """Credits, generation and storage on fresh streams and a fresh bucket; all but `without`."""
    connection = await connect(nats.url, "tests")
    await provision(connection, consumers=[replace(consumer, ack_wait=2) for consumer in CONSUMERS])
    await publish_first_prices(connection, built_in_table(), OPERATOR)
    store = JetStreamEventStore(connection, registry())
    world = Saga(
        connection, store, emulator, nats, s3, folder, s3.new_bucket(), overrides=overrides or {}, spans=spans
    )
    try:
        await world.start(*(name for name in ("credits", "generation", "storage") if name != without))
        yield world
    finally:
        for service in reversed(world.services.values()):
            with contextlib.suppress(Exception):
                await service.stop()
        await connection.close()
