"""A transport that closes without losing its last response, and notices clients that do not read."""

import asyncio
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from typing import Any

__all__ = ["LingeringTransport"]


class LingeringTransport(asyncio.Transport):
    """Wraps `transport`.

    When it is closed while `expects_more` says that the client is still sending, it closes the sending side only: a
    socket that is closed with unread data is reset, and the client loses the response (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, expects_more: Callable[[], bool]) -> None:
        super().__init__()
        self._transport = transport
        self._expects_more = expects_more
        self.is_lingering = False
        """The sending side is closed; further input is discarded."""
        self._written = 0
        self._taken = -1
        self._taken_at = 0.0

    def write(self, data: Any) -> None:
        if not self.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._expects_more():
            self._transport.close()
            return
        self.is_lingering = True
        with suppress(RuntimeError):  # reading is not paused
            self._transport.resume_reading()
        self._transport.write_eof()

    def abort(self) -> None:
        self.is_lingering = False
        self._transport.abort()

    def is_closing(self) -> bool:
        return self.is_lingering or self._transport.is_closing()

    def is_stalled(self, now: float, timeout: float) -> bool:
        """Whether data has been waiting for `timeout` seconds without the client reading any of it."""
        waiting = self._transport.get_write_buffer_size()
        taken = self._written - waiting - (self._in_kernel() if waiting else 0)
        if not waiting or taken != self._taken:
            self._taken, self._taken_at = taken, now
            return False
        return now - self._taken_at > timeout

    def _in_kernel(self) -> int:
        """Bytes in the socket's send queue that the peer has not acknowledged: TIOCOUTQ, tcp(7)."""
        with suppress(OSError):
            descriptor = self.get_extra_info("socket").fileno()
            (size,) = struct.unpack("i", ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4))
            return int(size)
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)
