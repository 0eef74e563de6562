"""Peer: two durable steps on DBOS with SQLite. A POST is answered when its workflow is recorded.

Runs in the environment of `make bench-peers`: PORT, UPSTREAM and FOLDER are its arguments.
"""

import sys
import uuid

import httpx
import uvicorn
from dbos import DBOS
from fastapi import FastAPI
from pydantic import BaseModel

PORT, UPSTREAM, FOLDER = sys.argv[1:]
api = FastAPI()
client = httpx.AsyncClient(trust_env=False)


class Body(BaseModel):
    """A request like that for a video."""

    prompt: str
    resolution: str
    duration: int


@DBOS.step()  # type: ignore[untyped-decorator]
async def submit(prompt: str) -> str:
    """Call the upstream; DBOS records the result."""
    answer = await client.post(UPSTREAM, json={"prompt": prompt})
    return str(answer.raise_for_status().json()["id"])


@DBOS.step()  # type: ignore[untyped-decorator]
async def record(task: str) -> str:
    """Record the outcome."""
    return task


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def generate(prompt: str) -> str:
    """Both steps."""
    return str(await record(await submit(prompt)))


@api.post("/api/video/generate")
async def accept(body: Body) -> dict[str, str]:
    """Start the workflow, which continues after the response."""
    handle = await DBOS.start_workflow_async(generate, body.prompt)
    return {"id": handle.get_workflow_id(), "status": "processing", "request": str(uuid.uuid4())}


if __name__ == "__main__":
    DBOS(
        config={
            "name": "peer",
            "system_database_url": f"sqlite:///{FOLDER}/dbos.sqlite",
            "run_admin_server": False,
            "log_level": "WARNING",
        },
    )
    DBOS.launch()
    uvicorn.run(api, host="127.0.0.1", port=int(PORT), access_log=False, log_level="warning")
