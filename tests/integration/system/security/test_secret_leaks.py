"""Every secret of a whole stack, and what its users ask for, are looked for wherever they must not be."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.eventually import eventually, eventually_async
from tests.support.security.nats_identities import connect_as
from tests.support.security.secret_leaks import SecretScanner, command_lines, log_lines, stream_files
from tests.support.telemetry.otlp_collector import Collector, otlp_collector

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.api_keys import create
from telecine_cli.ledger_client import grant
from telecine_cli.output.provision import provision_stack
from telecine_cli.provisioning.credentials import make_credentials, seed_file
from telecine_cli.stack.config import SERVICES, StackConfig, StackOptions, health_port
from telecine_cli.stack.ports import free_port
from telecine_cli.stack.process import Process
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import connected, stack_target
from telecine_contracts import registry, subjects
from telecine_contracts.commands import GrantCredits
from telecine_contracts.generation import VideoReady
from telecine_gateway.access.api_keys import new_key

SHORT = {"resolution": "480p", "duration": 2}
QUICK = {
    "LOG_LEVEL": "debug",
    "POLL_INTERVAL": "0.2",
    "RECONCILE_INTERVAL": "0.3",
    "SUBMISSION_LEASE": "1",
    "SUBMISSION_ABSENT_AFTER": "1",
    "SUBMISSION_RETRY_FIRST": "0.2",
    "SUBMISSION_PATIENCE": "4",
    "PROVIDER_POST_TIMEOUT": "2",
    "COPY_RETRY_FIRST": "0.1",
    "COPY_RETRY_LONGEST": "0.5",
    "COPY_REFUSAL_TRIES": "2",
}
FAULTS = (
    "",
    "[emulator:refuse=create:401:AuthenticationError]",
    "[emulator:error_before_accept=create:500:InternalServiceError]",
    "[emulator:garbage_body]",
    "[emulator:drop_after_accept]",
    "[emulator:fail]",
    "[emulator:result_403]",
    "[emulator:result_html]",
    "[emulator:callback_forged]",
)
"""What goes wrong with the provider, written into prompts."""


@dataclass
class StackEnvironment:
    """A stack, one who uses it, and what came back to him that was no success."""

    stack: Stack
    http: httpx.AsyncClient
    canaries: SecretScanner
    collector: Collector
    refused: list[bytes] = field(default_factory=list)

    @property
    def config(self) -> StackConfig:
        return self.stack.config

    def log(self, name: str) -> str:
        return self.config.log(name).read_text()

    async def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Ask the gateway; what is no success is kept, headers and all."""
        answer = await self.http.request(method, path, **content)
        if answer.status_code >= 400:
            self.refused.append(repr(answer.headers).encode() + answer.content)
        return answer

    async def ask_for(self, prompt: str, **parameters: Any) -> str:
        body = {"prompt": prompt, **SHORT, **parameters}
        return str((await self.ask("POST", "/api/video/generate", json=body)).json().get("id"))

    async def over(self, generation: str) -> dict[str, Any]:
        """The record of a generation that has come to an end."""

        async def record() -> dict[str, Any]:
            found: dict[str, Any] = (await self.http.get(f"/api/video/{generation}")).json()
            return found if found.get("status") in ("completed", "failed") else {}

        await eventually_async(record, within=60, what=f"{generation} does not end")
        return await record()


@asynccontextmanager
async def stack_environment(folder: Path) -> AsyncIterator[StackEnvironment]:
    options = StackOptions(emulator_arguments=("--task-seconds=0.3",), checkpoint_entries=1)
    with otlp_collector() as collector, pytest.MonkeyPatch.context() as environment:
        settings = QUICK | {"OTLP_ENDPOINT": collector.url, "TEST_MARK": str(folder)}
        for name, value in settings.items():
            environment.setenv(f"TELECINE_{name}", value)
        async with Stack(folder / "data", options, provision=provision_stack) as stack:
            key = new_key()
            async with connected(stack_target(stack.config)) as connection:
                await create(connection, "ann", key, name="tests")
                wish = GrantCredits(account="ann", amount=5000, reference="first", reason="tests")
                await grant(connection, wish)
            canaries = SecretScanner.of(stack.config)
            canaries.secrets["API key"] = key.secret
            canaries.contents["prompt"] = f"canary{secrets.token_hex(8)}"
            async with httpx.AsyncClient(
                base_url=stack.config.gateway_url,
                headers={"X-API-Key": key.secret},
                timeout=30,
                trust_env=False,
            ) as http:
                await eventually_async(lambda: key_works(http), within=20)
                yield StackEnvironment(stack, http, canaries, collector)


async def key_works(http: httpx.AsyncClient) -> bool:
    return (await http.get("/api/credits")).status_code == 200


async def test_no_secret_leaks(tmp_path: Path) -> None:
    async with stack_environment(tmp_path) as world:
        await videos_come_and_fail(world)
        await clients_are_refused(world)
        await the_bucket_is_gone(world)
        await the_bucket_refuses(world)
        await what_is_no_event_is_set_aside(world)
        await the_database_is_gone(world)
        await nats_refuses(world)
        await nothing_is_told_while_it_runs(world)
    nothing_is_left_behind(world)


async def videos_come_and_fail(world: StackEnvironment) -> None:
    """With a prompt and an image, and with all that a provider may do to them."""
    prompt = world.canaries.contents["prompt"]
    image = f"{world.config.local_url('emulator')}/samples/harbour.png?token="
    world.canaries.contents["token of an image's URL"] = token = f"canary{secrets.token_hex(8)}"
    asked = [await world.ask_for(f"{prompt} {fault}") for fault in FAULTS]
    asked.append(await world.ask_for(prompt, imageUrl=image + token))
    records = [await world.over(generation) for generation in asked]
    assert {record["status"] for record in records} == {"completed", "failed"}
    link = records[0]["resultUrl"]
    assert (await world.http.get(link)).status_code == 200
    world.canaries.secrets["signature of a link to a video"] = re.split(r"[=&]", link)[-1]
    await the_provider_was_told(world, asked[0])


async def the_provider_was_told(world: StackEnvironment, generation: str) -> None:
    """What only the provider and telecine know: where it calls back, and the signed URL of its result."""
    async with httpx.AsyncClient(base_url=world.config.local_url("emulator"), trust_env=False) as provider:
        journal = (await provider.get("/admin/journal")).json()["entries"]
    calls = [
        entry["body"]["callback_url"] for entry in journal if (entry.get("body") or {}).get("callback_url")
    ]
    world.canaries.secrets["callback's token"] = calls[0].rpartition("/")[2]
    [ready] = [each.event for each in await video(world, generation) if isinstance(each.event, VideoReady)]
    world.canaries.contents["signature of a result"] = ready.url.rpartition("X-Tos-Signature=")[2]


async def video(world: StackEnvironment, generation: str) -> list[RecordedEvent]:
    async with connect_as("storage", world.config.nats) as connection:
        store = JetStreamEventStore(connection, registry())
        return list(await store.load(subjects.video("ann", generation)))


async def clients_are_refused(world: StackEnvironment) -> None:
    """With everything that a client can do wrong, and the secret in it."""
    prompt, secret = world.canaries.contents["prompt"], f"canary{secrets.token_hex(8)}"
    world.canaries.secrets["password in an image's URL"] = secret
    wrong: list[dict[str, Any]] = [
        {"json": {"prompt": [prompt]}},
        {"json": {"prompt": f"{prompt} --duration 12"}},
        {"json": {"prompt": prompt, "negativePrompt": prompt}},
        {"json": {"prompt": prompt, "resolution": prompt, "duration": prompt}},
        {"json": {"prompt": prompt, "imageUrl": f"https://ann:{secret}@example.org/x.png"}},
        {"json": {"prompt": prompt, "imageUrl": f"http://10.0.0.1/{secret}"}},
        {"json": {"prompt": prompt * 1000}},
        {"content": f'{{"prompt": "{prompt}'.encode()},
        {"content": f'{{"prompt": "{prompt}"}}'.encode(), "headers": {"X-API-Key": f"tk_{secret}"}},
        {"content": b"x" * 70_000},
    ]
    for content in wrong:
        assert (await world.ask("POST", "/api/video/generate", **content)).status_code >= 400, content
    for path in (
        f"/api/video/{secret}",
        f"/api/video/history?limit={secret}",
        f"/api/video/history?cursor={secret}",
        f"/api/video/{secret}/content?expires=1&signature={secret}",
        f"/nowhere/{secret}",
    ):
        assert (await world.ask("GET", path)).status_code >= 400, path
    assert (await world.ask("POST", f"/callbacks/provider/ann/g/{secret}")).status_code == 404


async def the_bucket_is_gone(world: StackEnvironment) -> None:
    bucket, before = world.stack.process("s3"), world.log("storage").count('"side": "bucket"')
    done = await world.ask_for(world.canaries.contents["prompt"])
    await world.over(done)
    await bucket.terminate()
    await world.ask_for(world.canaries.contents["prompt"])
    await eventually(lambda: world.log("storage").count('"side": "bucket"') > before, within=30)
    assert (await world.ask("GET", f"/api/video/{done}/content")).status_code >= 500
    bucket.start()
    await bucket.wait_ready(world.config.s3.ready, 20)


async def the_bucket_refuses(world: StackEnvironment) -> None:
    """Storage with a key that the bucket does not know, and a gateway with another."""
    world.canaries.secrets["wrong key of the bucket"] = wrong = f"canary{secrets.token_hex(8)}"
    before = world.log("storage").count('"side": "bucket"')
    storage = world.stack.process("storage")
    await storage.terminate()
    async with changed(storage, TELECINE_S3_SECRET_KEY=wrong):
        await world.ask_for(world.canaries.contents["prompt"])
        await eventually(lambda: world.log("storage").count('"side": "bucket"') > before, within=40)
    storage.start()


@asynccontextmanager
async def changed(process: Process, **environment: str) -> AsyncIterator[Process]:
    """The same program, with other settings, for as long as the block lasts."""
    command = process.command
    other = Process(replace(command, env={**command.env, **environment}))
    other.start()
    try:
        yield other
    finally:
        await other.terminate()


async def what_is_no_event_is_set_aside(world: StackEnvironment) -> None:
    """The message is kept as it is; what is told of it is not what it says."""
    prompt = world.canaries.contents["prompt"]
    body = json.dumps({"account": "ann", "generation": "raw", "url": [prompt], "usage": prompt}).encode()
    headers = {
        "ce-id": "raw",
        "ce-source": "telecine/generation",
        "ce-type": VideoReady.type,
        "ce-time": "2026-11-23T10:00:00Z",
        "ce-subject": "video.ann.raw.ready",
        "ce-specversion": "1.0",
    }
    async with connect_as("generation", world.config.nats) as connection:
        await connection.jetstream().publish("video.ann.raw.ready", body, headers=headers)
    await eventually(lambda: "reactor.dead_letter" in world.log("storage"), within=30)


async def the_database_is_gone(world: StackEnvironment) -> None:
    """A Postgres that is not there, and its password given in both ways."""
    place = f"127.0.0.1:{free_port()}/credits"
    apart, within = (f"canary{secrets.token_hex(8)}" for _ in range(2))
    world.canaries.secrets |= {"password of a database": apart, "password in a database's URL": within}
    credits = world.stack.process("credits")
    await credits.terminate()

    def troubles() -> int:
        return world.log("credits").count("database.unavailable")

    for settings in (
        {"URL": f"postgresql+psycopg://credits@{place}", "PASSWORD": apart},
        {"URL": f"postgresql+psycopg://credits:{within}@{place}"},
    ):
        before = troubles()
        async with changed(
            credits, **{f"TELECINE_DATABASE_{name}": value for name, value in settings.items()}
        ):
            await eventually(partial(count_exceeds, before, troubles), within=30)
    credits.start()


def count_exceeds(before: int, count: Callable[[], int]) -> bool:
    return count() > before


async def nats_refuses(world: StackEnvironment) -> None:
    """An unknown seed, and a password that was not requested."""
    folder = world.config.data.parent / "others"
    make_credentials(folder)
    seed, password = seed_file(folder, "credits"), f"canary{secrets.token_hex(8)}"
    world.canaries.secrets |= {"unknown seed": seed.read_text().strip(), "password of NATS": password}
    url = world.config.nats.url.replace("nats://", f"nats://ann:{password}@")
    credits = world.stack.process("credits")
    for settings in ({"TELECINE_NATS_NKEY_SEED_FILE": str(seed)}, {"TELECINE_NATS_URL": url}):
        port = {"TELECINE_HEALTH_PORT": str(free_port())}
        async with changed(credits, **settings, **port) as other, asyncio.timeout(30):
            if "TELECINE_NATS_NKEY_SEED_FILE" in settings:
                assert await other.wait() == 1
    assert "does not know this identity" in world.log("credits")


async def nothing_is_told_while_it_runs(world: StackEnvironment) -> None:
    """Metrics, traces, command lines, and what the gateway answered that was no success."""
    async with httpx.AsyncClient(trust_env=False) as http:
        for service in SERVICES:
            page = await http.get(f"{world.config.local_url(health_port(service))}/metrics")
            assert world.canaries.anything_in(page.content) == set(), service
    await eventually(lambda: b"copy video" in b"".join(world.collector.exports), within=20)
    assert world.canaries.anything_in(*world.collector.exports) == set()
    lines = list(command_lines("TELECINE_TEST_MARK", str(world.config.data.parent)))
    assert len(lines) == 7
    assert world.canaries.anything_in(*lines) == set()
    assert len(world.refused) >= 16
    assert world.canaries.anything_in(*world.refused) == set()


def nothing_is_left_behind(world: StackEnvironment) -> None:
    """Logs, streams with headers, dead letters; and no API key in a table."""
    logs = log_lines(world.config)
    assert {
        "gateway.log",
        "credits.log",
        "generation.log",
        "storage.log",
        "nats.log",
        "s3.log",
    } <= logs.keys()
    assert {name: found for name, text in logs.items() if (found := world.canaries.anything_in(text))} == {}
    for service in SERVICES:
        assert all(isinstance(json.loads(line), dict) for line in world.log(service).splitlines()), service
    streams = stream_files(world.config)
    assert set(streams) == {
        "VIDEO",
        "LEDGER",
        "ACCESS",
        "CHECKPOINTS",
        "CATALOG",
        "QUEUE",
        "TIMERS",
        "DEADLETTERS",
    }
    assert world.canaries.secrets_in(*streams.values()) == set()
    assert world.canaries.anything_in(streams["VIDEO"]) == set(world.canaries.contents)
    for name in streams.keys() - {"VIDEO"}:
        assert world.canaries.anything_in(streams[name]) == set(), name
    tables = [file.read_bytes() for file in world.config.data.glob("*.db*")]
    assert len(tables) >= len(SERVICES)
    assert world.canaries.secrets_in(*tables) == set()
