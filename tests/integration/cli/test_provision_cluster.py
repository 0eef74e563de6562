"""Provisioning three servers: each of them is looked at, and no stream is kept on one alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.cluster.nats_cluster import NatsCluster, nats_cluster

from telecine_cli.errors import ProvisioningRefused
from telecine_cli.output.provision import ProvisionOptions, provision_server
from telecine_cli.provisioning.streams import provision
from telecine_cli.target import Target, connected
from telecine_contracts.permissions import PROVISIONER
from telecine_contracts.streams import CONSUMERS, STREAMS

THREE = ProvisionOptions(replicas=3)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path) as running:
        yield running


def target(cluster: NatsCluster, *, asking: int = 3) -> Target:
    """The cluster, of which so many servers can be asked how they are set up."""
    monitoring = ",".join(cluster.monitoring_urls[:asking])
    return Target(cluster.url, monitoring, access=cluster.access(PROVISIONER), identity=PROVISIONER)


async def test_every_server_is_checked_and_every_stream_has_three_replicas(
    cluster: NatsCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ProvisioningRefused, match="one of 3 servers of a cluster, and only 1 could be checked"
    ):
        await provision_server(target(cluster, asking=1), THREE)
    with pytest.raises(ProvisioningRefused, match="on one server only: pass --replicas 3"):
        await provision_server(target(cluster), ProvisionOptions())
    assert capsys.readouterr().out == ""

    await provision_server(target(cluster), THREE)
    count = len(STREAMS) + len(CONSUMERS)
    assert capsys.readouterr().out.count("created") == count
    await provision_server(target(cluster), THREE)
    assert capsys.readouterr().out.count("unchanged") == count

    cluster.kill("nats-2")
    with pytest.raises(ProvisioningRefused, match=f"{cluster.monitoring_url('nats-2')} does not answer"):
        await provision_server(target(cluster), THREE)


async def test_a_timers_stream_of_one_server_is_not_replicated_and_nothing_is_changed(
    cluster: NatsCluster,
) -> None:
    async with connected(target(cluster)) as connection:
        await provision(connection, replicas=1)
        with pytest.raises(ProvisioningRefused, match="stream TIMERS: it was created for one server"):
            await provision_server(target(cluster), THREE)
        assert (await connection.jetstream().stream_info("VIDEO")).config.num_replicas == 1


async def test_provisioning_waits_for_a_forming_cluster(tmp_path: Path) -> None:
    async with (
        nats_cluster(tmp_path, healthy=False) as cluster,
        connected(target(cluster)) as connection,
    ):
        changes = await provision(connection, replicas=3)
        assert {change.action for change in changes} == {"created"}
