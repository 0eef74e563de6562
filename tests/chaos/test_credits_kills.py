"""Credits are killed between what they write and what they do next: a grant still expires, once, on time."""

import contextlib
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.errors import Error as NatsError
from tests.support.environments.credits import CreditsEnvironment, credits_environment
from tests.support.eventually import eventually, eventually_async
from tests.support.processes import crash_point
from tests.support.servers.instances import NatsServer

from telecine_cli.stack.process import Command, Process
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import CreditsGranted

APPEND = "telecine_chassis.eventstore.jetstream:JetStreamEventStore.append"
TIMER = "telecine_chassis.timers.jetstream:JetStreamTimers.set"


def crashing_service(
    world: CreditsEnvironment, folder: Path, target: str, moment: str, count: int
) -> Process:
    """The service as a process that kills itself, not yet started."""
    facts = {
        "NATS_URL": world.settings.nats_url,
        "DATABASE_URL": world.settings.database_url,
        "STOP_GRACE": "1",
    }
    environment = dict(os.environ) | {f"TELECINE_{name}": value for name, value in facts.items()}
    argv = (sys.executable, crash_point.__file__, "telecine_credits", target, moment, str(count))
    return Process(Command(name="credits", argv=argv, log=folder / "credits.log", env=environment))


async def asked(world: CreditsEnvironment) -> bool:
    """Ask for a grant that expires in two seconds; whether it was made. The service may die of it."""
    until = datetime.now(UTC) + timedelta(seconds=2)
    request = GrantCredits(account="ann", amount=50, reference="r1", expires_at=until)
    with contextlib.suppress(NatsError):
        await world.connection.request(GrantCredits.subject, request.model_dump_json().encode(), timeout=1)
    return bool(await world.ledger())


@pytest.mark.parametrize(
    ("target", "moment", "count"),
    [
        pytest.param(TIMER, "before", 1, id="between the grant and its timer"),
        pytest.param(TIMER, "after", 1, id="between the timer and its acknowledgement"),
        pytest.param(APPEND, "before", 2, id="before the expiry"),
        pytest.param(APPEND, "after", 2, id="between the expiry and its acknowledgement"),
    ],
)
async def test_a_grant_expires_once_whenever_the_service_dies(
    nats: NatsServer, tmp_path: Path, target: str, moment: str, count: int
) -> None:
    async with credits_environment(nats, tmp_path, started=False) as world:
        victim = crashing_service(world, tmp_path, target, moment, count)
        victim.start()
        try:
            await eventually_async(lambda: asked(world), within=20, what="no grant was made")
            await eventually(lambda: not victim.running, within=20, what="the service did not die")
            assert victim.returncode == -9
        finally:
            victim.kill()
        await world.start()
        entries = await world.until(lambda entries: entries[-1].action == "expired", within=30)
        assert [entry.action for entry in entries] == ["granted", "expired"]
        granted, expired = entries
        assert isinstance(granted, CreditsGranted)
        assert granted.expires_at is not None
        assert expired.decided_at is not None
        assert expired.decided_at >= granted.expires_at
        await world.grant(5)
        assert [entry.action for entry in await world.ledger()] == ["granted", "expired", "granted"]
