"""The embedded nats-server, for real."""

import time
from pathlib import Path

import httpx
import nats as nats_client
import pytest
from tests.support.parts import NatsServer, nats_server

from telecine_cli.programs import ProgramNotFound, find_nats_server


async def test_a_server_answers_jetstream_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    async with nats_server(tmp_path) as server:
        ready_after = time.monotonic() - began
        client = await nats_client.connect(server.url)
        info = await client.jetstream().account_info()
        await client.close()
    assert info.streams == 0
    # 0.06 s on an idle machine; the bound is for a busy one.
    assert ready_after < 3


def test_every_append_is_synced_and_the_limits_are_set(nats: NatsServer) -> None:
    varz = httpx.get(f"{nats.monitoring_url}/varz").json()
    assert varz["jetstream"]["config"]["sync_always"] is True
    assert varz["jetstream"]["config"]["max_storage"] == 10 * 1024**3
    assert varz["max_payload"] == 256 * 1024
    assert (varz["host"], varz["http_host"]) == ("127.0.0.1", "127.0.0.1")


async def test_what_was_acknowledged_survives_a_kill(nats: NatsServer) -> None:
    client = await nats_client.connect(nats.url, allow_reconnect=False)
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s.>"])
    acknowledged = [(await stream.publish("s.a", str(n).encode())).seq for n in range(20)]
    nats.kill()
    await client.close()

    await nats.start()

    client = await nats_client.connect(nats.url)
    info = await client.jetstream().stream_info("S")
    await client.close()
    assert info.state.last_seq == acknowledged[-1] == 20


async def test_not_ready_when_nobody_listens(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        await server.stop()
        assert await server.part.ready() is False


def test_a_setting_that_names_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramNotFound, match="nowhere"):
        find_nats_server(tmp_path / "nowhere")
