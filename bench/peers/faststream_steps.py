"""Peer: two durable steps on plain FastStream with JetStream. A POST is answered when its message is stored.

Runs in the environment of `make bench-peers`: PORT, UPSTREAM and the NATS server's URL are its arguments.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from pydantic import BaseModel

PORT, UPSTREAM, NATS = sys.argv[1:]
client = httpx.AsyncClient(trust_env=False)
broker = NatsBroker(NATS, logger=None)
stream = JStream("PEER", subjects=["peer.*"])


class Request(BaseModel):
    """A request like that for a video, with its id."""

    id: str = ""
    prompt: str
    resolution: str
    duration: int


class Result(BaseModel):
    """What the upstream has answered."""

    id: str
    task: str


@broker.subscriber(
    "peer.requested",
    durable="submit",
    stream=stream,
    pull_sub=PullSub(batch_size=32),
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
async def submit(request: Request) -> None:
    """Call the upstream and store the result; the message is acknowledged after that."""
    answer = await client.post(UPSTREAM, json={"prompt": request.prompt})
    result = Result(id=request.id, task=str(answer.raise_for_status().json()["id"]))
    await broker.publish(result, "peer.submitted", stream="PEER", timeout=5)


@asynccontextmanager
async def _running(_: FastAPI) -> AsyncIterator[None]:
    async with broker:
        await broker.start()
        yield


api = FastAPI(lifespan=_running)


@api.post("/api/video/generate")
async def accept(request: Request) -> dict[str, str]:
    """Store the request, which is handled after the response."""
    request.id = str(uuid.uuid4())
    await broker.publish(request, "peer.requested", stream="PEER", timeout=5)
    return {"id": request.id, "status": "processing"}


if __name__ == "__main__":
    uvicorn.run(api, host="127.0.0.1", port=int(PORT), access_log=False, log_level="warning")
