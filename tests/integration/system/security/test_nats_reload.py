"""What a reload of the NATS server's users costs: nothing but time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from nats.aio.msg import Msg
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.security.nats_identities import connect_as

from telecine_cli.provisioning.credentials import make_credentials
from telecine_cli.provisioning.server_reload import reload_server
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.target import Target
from telecine_contracts.commands import GrantCredits, LedgerAnswer
from telecine_gateway.ledger.nats import NatsLedger


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedNats]:
    with guarded_nats(tmp_path) as part:
        yield part


async def test_a_command_that_is_served_during_a_reload_is_answered(server: EmbeddedNats) -> None:
    """The server drops the answer: it no longer knows who waits for it. The gateway asks again."""
    command = GrantCredits(account="ann", amount=5, reference="payment-1", reason="tests")
    served: list[bytes] = []
    first, answered = asyncio.Event(), asyncio.Event()

    async def serve(message: Msg) -> None:
        served.append(message.data)
        if len(served) == 1:
            first.set()
            await answered.wait()
        await message.respond(LedgerAnswer(done=True).model_dump_json().encode())

    async with connect_as("gateway", server) as gateway, connect_as("credits", server) as credits:
        await credits.subscribe(GrantCredits.subject, cb=serve)
        await credits.flush()
        with structlog.testing.capture_logs() as logs:
            asking = asyncio.create_task(NatsLedger(gateway, timeout=30, retry_interval=1).execute(command))
            await first.wait()
            make_credentials(server.folder.parent / "credentials", subscribers=["newcomer"])
            await reload_server(Target(server.url, server.monitoring_url, server.folder.parent))
            answered.set()
            assert (await asking).done
    assert served == [command.model_dump_json().encode()] * 2
    lost = [entry for entry in logs if entry["event"] in ("nats.answer_lost", "nats.not_allowed")]
    assert [entry["event"] for entry in lost] == ["nats.answer_lost"]
