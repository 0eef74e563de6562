"""Network backend of the HTTP source: connects only to addresses that were checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore

from telecine_chassis.network import may_connect

READ_BYTES = 1024 * 1024
"""Most bytes of one read."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves host and port to literal addresses; raises OSError."""


class AddressRefused(Exception):
    """The host has an address that connections must not be made to."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """All addresses of the host, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host, refuses it if any of its addresses is refused, and connects to exactly these addresses."""

    # The name is not resolved a second time: a name server that changes its answer after the check (DNS rebinding)
    # cannot redirect the connection.

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve = resolve_host,
        dialler: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._dialler = dialler or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises AddressRefused, and httpcore's ConnectError and ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked_addresses(host, port)
                return await self._dial(addresses, port, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, UnicodeError, OverflowError) as error:  # no name or no port
            raise httpcore.ConnectError from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises AddressRefused: results are never served by a local socket."""
        raise AddressRefused("a local socket")

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's interface of a network backend."""
        await self._dialler.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        addresses = await self._resolve(host, port)
        for address in addresses:
            if not may_connect(address, allow_private=self._allow_private):
                raise AddressRefused(address)
        return addresses

    async def _dial(
        self,
        addresses: Sequence[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                stream = await self._dialler.connect_tcp(
                    address, port, local_address=local_address, socket_options=socket_options
                )
                return _WideStream(stream)
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class _WideStream(httpcore.AsyncNetworkStream):
    """Passes on what the event loop has received, up to READ_BYTES."""

    # httpcore asks for 64 KiB, a quarter of what uvloop receives at once: anyio copies the rest at every read, and each
    # read costs a pass through the HTTP parser.

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max(max_bytes, READ_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return await self._stream.start_tls(ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
