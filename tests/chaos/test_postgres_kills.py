"""Postgres dies under running services, and comes back: nothing is lost, doubled or set aside, and all go on."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.support.environments.gateway import AccountClient, GatewayEnvironment, gateway_environment
from tests.support.environments.saga import Emulator, Saga, is_answering, saga
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, Postgres, S3Server, postgres_server

from telecine_chassis.consumers.dead_letters import DeadLetters
from telecine_chassis.projections.rebuild import rebuild
from telecine_chassis.projections.slots import Slots
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.process import Process
from telecine_contracts import registry
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_credits.rules.commands import TimedCommand
from telecine_gateway.read_model.projections import METADATA, PROJECTIONS, VERSION

BODY = {"prompt": "a lighthouse", "resolution": "480p", "duration": 2}
SERVICES = ("credits", "generation", "storage", "gateway")


@pytest.fixture
def killable_postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
async def running(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, killable_postgres: Postgres
) -> AsyncIterator[Saga]:
    """Every service but the gateway, each with a database on the mortal server."""
    databases = {name: {"database_url": killable_postgres.new_database()} for name in SERVICES}
    async with saga(nats, s3, emulator, tmp_path, overrides=databases) as gateway_environment:
        yield gateway_environment


@asynccontextmanager
async def gateway_process(gateway_environment: Saga) -> AsyncIterator[Process]:
    process = gateway_environment.process("gateway")
    process.start()
    try:
        yield process
    finally:
        process.kill()


def client(gateway_environment: Saga, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=gateway_environment.gateway_url, headers={"X-API-Key": key}, trust_env=False, timeout=30
    )


async def credits(http: httpx.AsyncClient) -> tuple[int, Any]:
    """The status of the answer, and the balance or how long to wait."""
    answer = await http.get("/api/credits")
    told = answer.json()
    return answer.status_code, told.get("available", answer.headers.get("retry-after"))


async def test_videos_are_made_while_the_tables_are_away_and_reads_are_answered_503(
    running: Saga, killable_postgres: Postgres
) -> None:
    await running.grant("ann", 100)
    async with gateway_process(running) as gateway, client(running, await running.key("ann")) as http:
        await is_answering(http)
        before = (await http.post("/api/video/generate", json=BODY)).json()["id"]
        killable_postgres.kill()

        assert await credits(http) == (503, "2")
        during = await running.request("ann")
        for generation in (before, during):
            assert await running.closed("ann", generation) == ["debited", "settled"]
        history = await http.get("/api/video/history")
        assert (history.status_code, set(history.json())) == (503, {"error", "code"})

        await killable_postgres.start()

        async def sees_everything() -> bool:
            shown = (await http.get("/api/video/history")).json().get("items", [])
            videos = {(item["id"], item["status"]) for item in shown}
            return videos == {(before, "completed"), (during, "completed")} and await credits(http) == (
                200,
                20,
            )

        await eventually_async(sees_everything, within=30)
        assert gateway.running
        assert await DeadLetters(running.connection).list() == []


async def test_a_service_that_starts_before_its_database_waits_for_it(
    running: Saga, killable_postgres: Postgres
) -> None:
    killable_postgres.kill()
    async with gateway_process(running) as gateway, client(running, await running.key("ann")) as http:
        await eventually(lambda: "database.unavailable" in gateway.command.log.read_text(), within=20)
        assert await http_answer(f"{running.gateway_url}/readyz") is None
        await killable_postgres.start()
        await is_answering(http)
        assert gateway.running


# Rows


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:
    async with gateway_environment(nats, tmp_path) as environment:
        yield environment


async def test_a_projection_loses_and_doubles_nothing_however_often_postgres_dies(
    environment: GatewayEnvironment, killable_postgres: Postgres
) -> None:
    url = killable_postgres.new_database()
    async with environment.gateway(database_url=url) as gateway:
        owner = await environment.owner(gateway)
        enough = asyncio.Event()
        paying = asyncio.create_task(grant_until_stopped(environment, owner.account, enough))
        for _ in range(3):
            await wait_for_more_grants(owner)
            killable_postgres.kill()
            await killable_postgres.start()
        enough.set()
        paid = await paying
        slots = Slots(url, METADATA, VERSION)
        await eventually(lambda: len(rows(slots, 1)["ledger_entry"]) == paid, within=20)
        assert (await owner.get("/api/credits")).json()["available"] == paid

        again = await rebuild(slots, PROJECTIONS, environment.connection, registry(), service="gateway")
        assert rows(slots, again) == rows(slots, 1)
        assert await DeadLetters(environment.connection).list() == []


async def grant_until_stopped(environment: GatewayEnvironment, account: str, enough: asyncio.Event) -> int:
    """Grants of one credit, until it is enough; how many."""
    paid = 0
    while not enough.is_set():
        paid += 1
        now, reference = datetime.now(UTC), f"pay-{paid}"
        await environment.entries(
            TimedCommand(
                GrantCredits(account=account, amount=1, kind=GrantKind.PAID, reference=reference), now
            )
        )
    return paid


async def wait_for_more_grants(owner: AccountClient) -> None:
    """Until there is more than there was, so that Postgres is in the middle of it."""
    before = await available(owner)

    async def more() -> bool:
        return await available(owner) > before

    await eventually_async(more, within=20)


async def available(owner: AccountClient) -> int:
    answer = await owner.get("/api/credits")
    return int(answer.json()["available"]) if answer.status_code == 200 else -1


def rows(slots: Slots, slot: int) -> dict[str, Sequence[Any]]:
    """Every row of every table, checkpoints included."""
    engine = slots.open(slot)
    try:
        with engine.connect() as connection:
            return {
                name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for name, table in METADATA.tables.items()
            }
    finally:
        engine.dispose()
