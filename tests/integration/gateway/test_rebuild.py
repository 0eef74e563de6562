"""The gateway's tables are nothing but the streams: filled again they are the same, row for row."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select
from tests.support.data.video_events import NOW, GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer

from telecine_chassis.projections.rebuild import rebuild
from telecine_chassis.projections.slots import Slots
from telecine_contracts import registry
from telecine_contracts.access import RateLimitsSet
from telecine_contracts.commands import CloseAccount, SetSpendLimits
from telecine_contracts.dispatch import QueueEntered
from telecine_contracts.examples import example
from telecine_gateway.read_model.projections import METADATA, PROJECTIONS, VERSION


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:
    async with gateway_environment(nats, tmp_path) as environment, environment.credits():
        yield environment


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    return str(request.getfixturevalue("postgres").new_database())


async def test_a_rebuild_gives_identical_rows(environment: GatewayEnvironment, url: str) -> None:
    async with environment.gateway(cancel_timeout=0.2, database_url=url) as gateway:
        owner = await environment.owner(gateway, credits=300)
        await append_every_event(environment, gateway, owner)
        slots = Slots(gateway.settings.database_url, METADATA, VERSION)
        before = await wait_until_projected(slots)

        new = await rebuild(slots, PROJECTIONS, environment.connection, registry(), service="gateway")

        after = rows(slots.open(new))
        assert new == 2
        assert {name: len(found) for name, found in before.items()} == {
            name: len(found) for name, found in after.items()
        }
        assert before == after
        assert all(before[name] for name in METADATA.tables)
        answer = await owner.generate()
        assert answer.status_code == 200
        assert answer.json()["remainingCredits"] == 200


async def wait_until_projected(slots: Slots) -> dict[str, Sequence[Any]]:
    """The live rows, as soon as they have all come."""

    def complete() -> bool:
        found = rows(slots.open(slots.live()))
        counts = [len(found[name]) for name in ("generation", "ledger_entry", "rate_limit", "queue_turn")]
        return counts == [5, 12, 1, 1]

    await eventually(complete)
    return rows(slots.open(slots.live()))


async def append_every_event(environment: GatewayEnvironment, gateway: Gateway, owner: AccountClient) -> None:
    """Every kind of event, through the gateway or by hand."""
    stored, failed, cancelled = [
        GenerationEvents(owner.account, (await owner.generate()).json()["id"]) for _ in range(3)
    ]
    for event in (stored.started(), stored.submitted(), stored.progressed(), stored.ready(), stored.stored()):
        await environment.append(event)
    await environment.append(failed.failed())
    await environment.append(failed.late_result())
    await owner.post(f"/api/video/{cancelled.generation}/cancel")
    await environment.append(cancelled.cancelled())
    temporary = GenerationEvents("other", str(uuid4()))
    await environment.append(temporary.requested())
    await environment.append(temporary.not_stored("https://provider.example.com/x", NOW))
    revoked = await environment.owner(gateway, "other")
    await environment.revoke(revoked)
    await environment.command(SetSpendLimits.subject, SetSpendLimits(account="poor", per_day=100))
    await environment.command(CloseAccount.subject, CloseAccount(account="other"))
    await environment.append(example(RateLimitsSet))
    await environment.append(example(QueueEntered))
    poor = await environment.owner(gateway, "poor", credits=1)
    assert (await poor.generate()).status_code == 402
    assert (await poor.get("/api/video/history")).json()["items"]
    for _ in range(400):
        credits = (await owner.get("/api/credits")).json()
        if (credits["available"], credits["held"]) == (250, 0):
            break
    assert (credits["available"], credits["held"]) == (250, 0)
    for _ in range(400):
        if (await revoked.get("/api/credits")).status_code == 401:
            return


def rows(engine: Engine) -> dict[str, Sequence[Any]]:
    """Every row of every table, checkpoints included."""
    try:
        with engine.connect() as connection:
            return {
                name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for name, table in METADATA.tables.items()
            }
    finally:
        engine.dispose()
