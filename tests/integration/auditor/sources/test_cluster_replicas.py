"""The auditor on a cluster: replicas may lag behind, and refuse entries that they have not agreed on yet."""

from pathlib import Path

import pytest
from tests.support.audit.command import AuditorCommand
from tests.support.audit.nats_ledger import publish, publish_streams, read_stream, small_ledger
from tests.support.cluster.bare_cluster import replicas
from tests.support.servers.instances import NatsServer

from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server

STREAMS = small_ledger(20)


async def test_a_mirror_is_restored_on_three_replicas_and_read_without_a_gap(
    capsys: pytest.CaptureFixture[str], nats: NatsServer, tmp_path: Path
) -> None:
    auditor, mirror = AuditorCommand(capsys), tmp_path / "mirror"
    await publish_streams(nats, STREAMS)
    assert (await auditor("mirror", mirror, "--nats", nats.url)).code == 0
    async with replicas(tmp_path / "cluster") as three:
        # Every entry of the one account expects the one before, which the replicas must agree on first.
        done = await auditor("restore", mirror, "--nats", three.url)
        assert (done.code, done.err) == (0, "")
        assert (await auditor("verify", "--nats", three.url)).code == 0
        connection = await three.connect()
        source = await NatsSource.open(Server(url=three.url))
        for number in range(1, 51):
            # Acknowledged by the leader, and read at once from whichever replica answers.
            await publish(
                connection, [STREAMS.ledger[0]._replace(head=b"", subject=f"ledger.a{number}.granted")]
            )
            found = await read_stream(source, "LEDGER", after=len(STREAMS.ledger))
            assert [entry.subject for entry in found] == [
                f"ledger.a{other}.granted" for other in range(1, number + 1)
            ]
        await source.close()
        await connection.close()
