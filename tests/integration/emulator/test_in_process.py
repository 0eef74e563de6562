"""The emulator inside another process: `build` gives an application, and nothing happens at import."""

import asyncio
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.support.eventually import eventually
from tests.support.processes.emulator import MODEL, TASKS, text

from telecine_emulator.app import build, server_config
from telecine_emulator.settings import Settings

BODY = {"model": MODEL, "content": [text("a kite")], "resolution": "480p", "duration": 2}
HEADERS = {"Authorization": "Bearer any"}


async def test_it_runs_in_a_loop_of_ones_own(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, queue_seconds=0, run_seconds=0.1, faults=("unknown_status=odd",))
    app = build(settings)
    server = uvicorn.Server(server_config(app, settings))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=HEADERS, trust_env=False
    ) as client:
        task_id = (await client.post(TASKS, json=BODY)).json()["id"]
        assert (await client.get(f"{TASKS}/{task_id}")).json()["status"] == "odd"
        await eventually(lambda: app.state.emulator.store.find(task_id).status == "succeeded")
        app.state.emulator.faults.add("drop_after_accept")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(TASKS, json=BODY)
    server.should_exit = True
    await serving


async def test_without_a_server_it_still_validates(tmp_path: Path) -> None:
    app = build(Settings(data=tmp_path))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator", headers=HEADERS) as client:
        assert (await client.post(TASKS, json={})).status_code == 400
        assert (await client.post(TASKS, json=BODY)).status_code == 200
    await app.state.emulator.close()
