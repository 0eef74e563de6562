"""Responses that close the connection early; uvicorn gives applications no access to it otherwise."""

from asyncio import Transport
from collections.abc import AsyncIterable
from typing import Any, cast

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEY = "emulator.transport"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol; it also puts the transport into the scope."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(dict[str, Any], self.scope)[KEY] = self.transport


async def close_connection(scope: Scope, receive: Receive) -> None:
    """Closes the connection after the written bytes are sent."""
    transport: Transport | None = scope.get(KEY)
    if transport is None:
        raise RuntimeError("this fault needs a server that runs telecine_emulator.faults.connection.Protocol")
    transport.close()
    # uvicorn would complete the response if the application returned before the connection is closed.
    while (await receive())["type"] != "http.disconnect":
        continue


class EmptyReply(Response):
    """Closes the connection without a response."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await close_connection(scope, receive)


class TruncatedResponse(StreamingResponse):
    """Sends status, headers and body, then closes the connection as if the body were incomplete."""

    def __init__(self, body: AsyncIterable[bytes], *, headers: dict[str, str], media_type: str) -> None:
        super().__init__(body, headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await close_connection(scope, receive)
