"""Postgres over TLS by settings alone; `verify-full` rejects every other server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from tests.support.security.certificates import Authority
from tests.support.security.tls_postgres import TlsPostgres, tls_postgres
from tests.support.servers.instances import NatsServer, Postgres

from telecine_chassis.nats.connection import connect
from telecine_chassis.projections.engine import open_engine
from telecine_cli.provisioning.streams import provision
from telecine_credits.app import build
from telecine_credits.settings import Settings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def server(authority: Authority, postgres: Postgres) -> AsyncIterator[TlsPostgres]:
    async with tls_postgres(authority, postgres) as running:
        yield running


def connection_state(url: str) -> str:
    """The answer of a database, and how it was reached: by libpq's own word."""
    engine = open_engine(make_url(url))
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 7")).scalar() == 7
            driver = connection.connection.driver_connection
            assert driver is not None
            return "TLS" if driver.pgconn.ssl_in_use else "plain"
    finally:
        engine.dispose()


async def answer(url: str) -> str:
    return await asyncio.to_thread(connection_state, url)


async def connection_error(url: str) -> str:
    with pytest.raises(OperationalError) as caught:
        await answer(url)
    return str(caught.value.orig)


async def test_valid_certificate_is_accepted(server: TlsPostgres, authority: Authority) -> None:
    ca = str(authority.certificate)
    assert await answer(server.url(sslmode="verify-full", sslrootcert=ca)) == "TLS"
    assert await answer(server.url(sslmode="require")) == "TLS"


async def test_unknown_authority_is_refused(server: TlsPostgres, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    url = server.url(sslmode="verify-full", sslrootcert=str(other.certificate))
    assert "certificate verify failed" in await connection_error(url)


async def test_wrong_host_name_is_refused(server: TlsPostgres, authority: Authority) -> None:
    """A certificate of the same authority for another host name is rejected."""
    elsewhere = TlsPostgres(server.place.set(host="tables.example"))
    known = {"hostaddr": "127.0.0.1", "sslrootcert": str(authority.certificate)}
    assert 'does not match host name "tables.example"' in await connection_error(
        elsewhere.url(sslmode="verify-full", **known)
    )
    assert await answer(elsewhere.url(sslmode="verify-ca", **known)) == "TLS", "the name alone was wrong"


async def test_server_without_tls_is_refused(postgres: Postgres, authority: Authority) -> None:
    """A man in the middle could claim that the server has no TLS."""
    plain = TlsPostgres(postgres.place)
    url = plain.url(sslmode="verify-full", sslrootcert=str(authority.certificate))
    assert "server does not support SSL" in await connection_error(url)


async def test_a_service_keeps_its_tables_over_tls(
    server: TlsPostgres, authority: Authority, nats: NatsServer
) -> None:
    client = await connect(nats.url, "tests")
    await provision(client)
    await client.close()
    url = server.url(sslmode="verify-full", sslrootcert=str(authority.certificate))
    service = build(Settings(nats_url=nats.url, database_url=url))
    await service.start()
    assert await service.ready() is None
    await service.stop()
