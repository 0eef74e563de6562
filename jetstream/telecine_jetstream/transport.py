"""nats-py's TCP transport with two fixes, and with a reader that comes before nats-py's."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from nats.aio.transport import TcpTransport

from .frames import FrameReader

__all__ = ["Transport"]

CLOSE_TIMEOUT = 1
"""Seconds that a connection gets for a TLS shutdown."""
WRITE_BUFFER = 2**20
"""Bytes that the connection may buffer before publishing waits, as nats-py's does, for the server to read."""
_CONNECT = b"CONNECT "


class Transport(TcpTransport):
    """nats-py's transport with two fixes, and with a reader that comes before nats-py's.

    A TLS connection whose handshake failed never reports its end, and nats-py waits for that end before it reconnects:
    here the wait is limited. And CONNECT is sent together with the PING behind it: a server that refuses CONNECT closes
    the connection at once, and a PING still to be sent would reset it, so that the server's reason would be lost.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._held_back = b""

    def __bool__(self) -> bool:
        return True  # otherwise the client replaces it

    @property
    def is_congested(self) -> bool:
        """Whether the server reads more slowly than this client writes."""
        return self._io_writer is None or self._io_writer.transport.get_write_buffer_size() > WRITE_BUFFER

    def read_first(self, frames: FrameReader, may_read: Callable[[], bool]) -> None:
        """Give what arrives to `frames` while `may_read()`, and only what is left to nats-py's read loop."""
        reader = self._io_reader
        assert reader is not None
        feed = reader.feed_data

        def feed_first(data: bytes) -> None:
            # What nats-py has not read yet comes first.
            if not reader._buffer and may_read():  # type: ignore[attr-defined]
                data = frames.feed(data)
            if data:
                feed(data)

        reader.feed_data = feed_first  # type: ignore[method-assign, assignment]

    def write(self, payload: bytes) -> None:
        if payload.startswith(_CONNECT):
            self._held_back = payload
            return
        first, self._held_back = self._held_back, b""
        super().write(first + payload)  # type: ignore[no-untyped-call]

    async def wait_closed(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await super().wait_closed()  # type: ignore[no-untyped-call]
