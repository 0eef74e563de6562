"""A Postgres that speaks TLS.

In containers it is the server itself. The wheel's server was built without OpenSSL: there, and before servers that are
given, a front of its own does the TLS, as pgbouncer or stunnel would.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.engine import URL
from tests.support.security.certificates import Authority
from tests.support.servers.backend import CONTAINERS, backend_name
from tests.support.servers.instances import Postgres

from telecine_cli.stack.ports import LOOPBACK, free_port

__all__ = ["TlsPostgres", "tls_postgres"]

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_SERVER = (
    "install -m 600 -o postgres /certificate/server.key /certificate/server.pem /tmp"
    " && exec docker-entrypoint.sh postgres -c 'listen_addresses=*' -c ssl=on"
    " -c ssl_cert_file=/tmp/server.pem -c ssl_key_file=/tmp/server.key"
)


@dataclass(frozen=True)
class TlsPostgres:
    """Where it is, without a word about TLS."""

    place: URL

    def url(self, **options: str) -> str:
        """The database's URL with options of libpq."""
        return self.place.update_query_dict(options).render_as_string(hide_password=False)


@asynccontextmanager
async def tls_postgres(authority: Authority, plain: Postgres) -> AsyncIterator[TlsPostgres]:
    """With a certificate of the authority for localhost and 127.0.0.1; `plain` is the server behind a front."""
    if backend_name() == CONTAINERS:
        async with _container(authority) as place:
            yield TlsPostgres(place)
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("server"))
    database = plain.new_database()
    front = _TlsProxy(context, plain)
    server = await asyncio.start_server(front.serve, LOOPBACK, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield TlsPostgres(plain.place.set(database=database.rpartition("/")[2], host=LOOPBACK, port=port))
        await front.end()


@asynccontextmanager
async def _container(authority: Authority) -> AsyncIterator[URL]:
    from tests.support.servers.container_backend import image
    from tests.support.servers.docker_container import Container, ContainerSpec

    port = free_port()
    certificate, key = authority.issue("server")
    container = Container(
        ContainerSpec(
            image=image("postgres"),
            command=("sh", "-c", _SERVER),
            ports={5432: port},
            environment={"POSTGRES_HOST_AUTH_METHOD": "trust"},
            files={
                "/certificate/server.pem": certificate.read_text(),
                "/certificate/server.key": key.read_text(),
            },
        )
    )
    place = URL.create("postgresql+psycopg", "postgres", host=LOOPBACK, port=port, database="postgres")
    try:
        container.start()
        await container.wait_ready(Postgres(place, container).answers, 30)
        yield place
    finally:
        container.remove()


class _TlsProxy:
    """Takes TLS from clients as Postgres does, and talks to a server without."""

    def __init__(self, context: ssl.SSLContext, plain: Postgres) -> None:
        self._context = context
        self._plain = plain
        self._serving: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Break off what is still open."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it goes."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):  # a client that does not trust us
                await self._serve(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := int.from_bytes((await reader.readexactly(8))[4:], "big")) == _GSS_REQUEST:
            writer.write(b"N")
        if asked != _SSL_REQUEST:
            return  # no connection is accepted without
        writer.write(b"S")
        await writer.start_tls(self._context)
        place = self._plain.place
        behind, out = await asyncio.open_connection(place.host, place.port)
        try:
            done, left = await asyncio.wait(
                [
                    asyncio.ensure_future(_forward(reader, out)),
                    asyncio.ensure_future(_forward(behind, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in left:
                task.cancel()
            await asyncio.gather(*done, *left, return_exceptions=True)
        finally:
            out.close()


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while some := await source.read(65536):
        target.write(some)
        await target.drain()
