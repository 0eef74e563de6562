"""A service goes by the time of its NATS server, whatever its own machine says."""

from datetime import UTC, datetime, timedelta

from tests.support.servers.instances import NatsServer

from telecine_chassis.nats.connection import connect
from telecine_chassis.nats.server_clock import ServerClock
from telecine_cli.provisioning.streams import provision

HOUR = timedelta(hours=1)


def ahead() -> datetime:
    return datetime.now(UTC) + HOUR


async def test_a_machine_that_is_an_hour_ahead_reads_the_servers_time(nats: NatsServer) -> None:
    client = await connect(nats.url, "tests")
    clock = ServerClock(client, wall=ahead)
    await clock.start()  # there is no stream to ask yet
    assert clock() > datetime.now(UTC) + HOUR / 2
    await clock.stop()
    await provision(client)
    await clock.start()
    assert abs(clock() - datetime.now(UTC)) < HOUR / 2
    await clock.stop()
    await client.close()
