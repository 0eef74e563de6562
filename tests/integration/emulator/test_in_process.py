"""The emulator as an application inside another process."""

import asyncio
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from tests.support.eventually import eventually
from tests.support.processes.emulator import MODEL, TASKS, text

from telecine_emulator.app import build, server_config
from telecine_emulator.settings import Settings

BODY = {"model": MODEL, "content": [text("a kite")], "resolution": "480p", "duration": 2}
HEADERS = {"Authorization": "Bearer any"}


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://emulator", headers=HEADERS)


async def test_it_runs_in_the_callers_event_loop(tmp_path: Path) -> None:
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


async def test_it_validates_without_a_server(tmp_path: Path) -> None:
    app = build(Settings(data=tmp_path))
    async with client_of(app) as client:
        assert (await client.post(TASKS, json={})).status_code == 400
        assert (await client.post(TASKS, json=BODY)).status_code == 200
    await app.state.emulator.close()


async def test_without_a_queue_the_limit_is_on_tasks_in_flight(tmp_path: Path) -> None:
    app = build(Settings(data=tmp_path, concurrency=1, queue_cap=0))
    async with client_of(app) as client:
        assert (await client.post(TASKS, json=BODY)).status_code == 200
        refused = await client.post(TASKS, json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "InflightBatchsizeExceeded")
    await app.state.emulator.close()


async def test_results_can_be_unavailable_for_a_while_after_success(tmp_path: Path) -> None:
    app = build(Settings(data=tmp_path, not_ready_seconds=60))
    async with app.router.lifespan_context(app), client_of(app) as client:
        task_id = (await client.post(TASKS, json=BODY)).json()["id"]
        await client.post("/admin/clock", json={"advance_seconds": 10})
        url = (await client.get(f"{TASKS}/{task_id}")).json()["content"]["video_url"]
        early = await client.get(url)
        assert (early.status_code, early.json()["Code"]) == (400, "video_not_ready")
        await client.post("/admin/clock", json={"advance_seconds": 60})
        assert (await client.get(url)).status_code == 200
