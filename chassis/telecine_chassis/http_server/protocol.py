"""uvicorn's HTTP/1.1 protocol with limits on header sizes, idle time, slow readers and the number of connections.

Rules and status codes are those of RFC 9110 and RFC 9112. Protocol errors have the JSON body of the API's errors.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .error_responses import HttpError, error_app, head_error, json_body, json_headers
from .limits import HttpLimits
from .transport import LingeringTransport

__all__ = ["BoundedProtocol", "ConnectionQueue"]

PIPELINED = 16
"""Pipelined requests that a connection may queue behind the current one."""
SPARE = 16
"""Connections beyond the limit that get a 503 while all others have a request in progress; more are closed."""
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})

ConnectionQueue = dict["BoundedProtocol", None]
"""A server's connections without a request in progress, the longest waiting first."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its deadlines are enforced by `check`, which the server calls periodically, not by timers."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: HttpLimits,
        waiting: ConnectionQueue,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._waiting = waiting
        self._application = self.app
        self._wire: LingeringTransport
        self._since = 0.0
        """Start of the connection, of its idle time, of the current header, or of draining a body."""
        self._quiet = 0
        """Bytes since the last complete header or piece of a body."""
        self._drained = 0
        self._in_body = False
        self._replaying = False
        self._ended = False
        """Nothing more is parsed: the connection closes after the response in progress."""
        self._crowded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = LingeringTransport(cast(asyncio.Transport, transport), lambda: self._in_body)
        super().connection_made(self._wire)
        self._wait()
        excess = len(self.connections) - self._limits.connections
        if excess > 0:
            self._make_room(excess)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def check(self, now: float) -> None:
        """Close the connection if one of its deadlines has passed. `now`: the event loop's time."""
        limits = self._limits
        if self._wire.is_stalled(now, limits.progress_timeout):
            self.transport.abort()
        elif self._wire.is_lingering or (self._in_body and not self._is_answering()):
            if now - self._since > limits.drain_timeout:
                self.transport.abort()
        elif self.transport.is_closing() or self._is_answering():
            return
        elif self._quiet and now - self._since > limits.head_timeout:
            self._refuse(408, "The request's header did not arrive in time")
        elif now - self._since > (limits.idle_timeout if self.cycle else limits.head_timeout):
            self.transport.close()

    def shutdown(self) -> None:
        """Close after the response in progress, because the server stops."""
        if self._wire.is_lingering:
            self.transport.abort()
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self._wire.is_lingering:
            self._drain(len(data))
            return
        self._unset_keepalive_if_required()
        if not self._quiet and not self._in_body:
            self._since = self.loop.time()
        while data and not (self._ended or self.transport.is_closing()):
            allowed = self._limits.head_bytes - self._quiet
            if allowed <= 0:
                self._refuse(431, f"The request's header is larger than {self._limits.head_bytes} bytes")
                return
            data = self._feed(data[:allowed]) + data[allowed:]

    def _feed(self, piece: bytes) -> bytes:
        """Parse a piece; the bytes that were not consumed."""
        self._quiet += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            return self._decline_upgrade(piece[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "The request is not valid HTTP/1.1")
        return b""

    def _decline_upgrade(self, rest: bytes) -> bytes:
        """Ignore an upgrade and continue with HTTP/1.1 (RFC 9110, 7.8); the bytes that follow the header."""
        # httptools stops at the header of an upgrade, and would read the body as the other protocol. A new parser that
        # has seen the same framing headers reads it as a body.
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            return b""
        if framing := [name + b": " + value for name, value in self.headers if name in _BODY_HEADERS]:
            self.parser = httptools.HttpRequestParser(self)
            self._replaying = True
            self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *framing, b"", b""]))
            self._replaying = False
        return rest

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        if not self._replaying:
            super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:  # trailer fields are not header fields (RFC 9110, 6.5.1)
            super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        if self._replaying:
            return
        self._quiet, self._drained = 0, 0
        self._in_body = True
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("too many requests in advance")
        self._waiting.pop(self, None)
        refusal = self._refusal()
        self.app = error_app(*refusal) if refusal else self._application
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._quiet = 0
        if self.cycle.response_complete:
            self._drain(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        upgrades = self.parser.should_upgrade() and not self._should_upgrade()
        if upgrades and any(name in _BODY_HEADERS for name, _ in self.headers):
            return
        self._in_body = False
        self._quiet = 0
        super().on_message_complete()
        if not self._is_answering():  # the response did not wait for the body
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answering():
            self._wait()

    def _refusal(self) -> HttpError | None:
        """The error response to the current header, or None to serve the request."""
        if refusal := head_error(self.parser.get_http_version(), self.headers):
            return refusal
        if self._crowded:
            return 503, "The server has too many connections; please try again"
        return None

    # Closing

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._since = self.loop.time()
        self._waiting[self] = None

    def _make_room(self, excess: int) -> None:
        oldest = next(iter(self._waiting))
        if oldest is not self:
            del self._waiting[oldest]
            oldest.transport.abort()
        elif excess > SPARE:
            self.transport.abort()
        else:
            self._crowded = True

    def _drain(self, size: int) -> None:
        self._drained += size
        if self._drained > self._limits.drain_bytes:
            self.transport.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Send an error response to an invalid request and close the connection, after responses in progress."""
        if self._is_answering():
            if self.pipeline or not self._in_body:
                self._ended = True
                self.cycle.keep_alive = False
                return
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        headers = [*self.server_state.default_headers, *json_headers(status, message)]
        reason = HTTPStatus(status).phrase.encode()
        head = [b"HTTP/1.1 %d %s" % (status, reason), *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join([*head, b"", json_body(status, message)]))
        self._in_body = True  # more of the invalid request may arrive
        self._wait()
        self.transport.close()
