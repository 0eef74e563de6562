"""Client of the gateway's HTTP API, as far as the demo uses it."""

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from telecine_cli.errors import CommandError

__all__ = ["Download", "GatewayClient", "gateway_client"]

_TIMEOUT_SECONDS = 30
_OK, _ACCEPTED = 200, 202


@dataclass(frozen=True, slots=True)
class Download:
    """A downloaded file."""

    file: Path
    bytes: int
    sha256: str


@asynccontextmanager
async def gateway_client(url: str, key: str) -> "AsyncIterator[GatewayClient]":
    """A client of the gateway at `url`, open during the block."""
    headers = {"Authorization": f"Bearer {key}"}
    # trust_env=False: a proxy named by the environment cannot reach the loopback interface of this machine.
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        yield GatewayClient(client)


@dataclass(frozen=True)
class GatewayClient:
    """Each call raises CommandError with the response's text unless the gateway answers with success."""

    client: httpx.AsyncClient

    async def generate(self, request: Mapping[str, Any]) -> str:
        """Request a video; returns the generation's id."""
        answer = await self._request("POST", "/api/video/generate", json=dict(request))
        return str(answer.json()["id"])

    async def status(self, generation: str) -> dict[str, Any]:
        """The body of the status route."""
        query = {"taskId": generation, "historyId": generation}
        answer: dict[str, Any] = (await self._request("GET", "/api/video/status", params=query)).json()
        return answer

    async def download(self, generation: str, file: Path) -> Download:
        """Download the video into `file`: completely or not at all."""
        file = _resolve_symlink(file)
        part = file.with_name(f"{file.name}.part")
        digest, size = hashlib.sha256(), 0
        async with self._stream(f"/api/video/{generation}/content") as answer:
            with part.open("wb") as output:
                async for chunk in answer.aiter_bytes():
                    output.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
        part.replace(file)
        return Download(file, size, digest.hexdigest())

    @asynccontextmanager
    async def _stream(self, path: str) -> AsyncIterator[httpx.Response]:
        try:
            async with self.client.stream("GET", path) as answer:
                if answer.status_code != _OK:
                    await answer.aread()
                    raise _error_message(answer)
                yield answer
        except httpx.HTTPError as error:
            raise CommandError(f"the gateway does not answer: {type(error).__name__}") from error

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = await self.client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise CommandError(f"the gateway does not answer: {type(error).__name__}") from error
        if answer.status_code not in (_OK, _ACCEPTED):
            raise _error_message(answer)
        return answer


def _resolve_symlink(file: Path) -> Path:
    """The target of a symbolic link: the link stays, and its target is replaced."""
    return Path(os.path.realpath(file))


def _error_message(answer: httpx.Response) -> CommandError:
    request = answer.request
    return CommandError(
        f"{request.method} {request.url.path} failed with status {answer.status_code}: {answer.text[:500]}"
    )
