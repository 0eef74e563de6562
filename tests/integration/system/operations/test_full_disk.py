"""A full disk under NATS: services are not ready, and the server works again once there is room."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from nats.errors import Error as NatsError
from tests.support.eventually import eventually_async
from tests.support.processes.full_disk import full_disk
from tests.support.security.nats_identities import connect_as

from telecine_chassis.runtime.service import Service
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import StackConfig, StackOptions
from telecine_cli.stack.specs import process_specs
from telecine_cli.stack.supervisor import Stack
from telecine_credits.app import build
from telecine_credits.settings import Settings

NATS = tuple(child for child in process_specs(StackOptions()) if child.name == "nats")


def credits_service(config: StackConfig) -> Service:
    """A service that writes nothing by itself: it must learn from the server that nothing can be written."""
    return build(
        Settings(
            nats_url=config.nats.url,
            nats_nkey_seed_file=config.nats.access("credits").nkey_seed,
            database_url=f"sqlite:///{config.data / 'credits.db'}",
        )
    )


async def test_a_stream_that_could_not_be_written_is_seen_and_works_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    async with Stack(tmp_path, children=NATS, provision=provision_stack) as stack:
        nats, service = stack.config.nats, credits_service(stack.config)
        await service.start()
        assert await service.ready() is None
        async with connect_as("gateway", nats) as gateway:
            pid = stack.process("nats").pid
            assert pid is not None
            with full_disk(pid), pytest.raises(NatsError):
                await gateway.jetstream().publish("video.a.g.requested", b"lost", timeout=1)

            async def not_ready() -> bool:
                return "write error" in str(await service.ready())

            await eventually_async(not_ready, what="the service does not see it")

            watching = asyncio.create_task(stack.watch())

            async def stored() -> bool:
                with suppress(NatsError):
                    return bool(await gateway.jetstream().publish("video.a.g.requested", b"kept", timeout=1))
                return False

            await eventually_async(stored, what="the server was not started again")
            assert stack.process("nats").pid != pid

            async def ready() -> bool:
                return await service.ready() is None

            await eventually_async(ready, what="the service is not ready again")
            watching.cancel()
        await service.stop()
