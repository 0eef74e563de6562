"""NATS over TLS: the server is identified by its certificate, and a client cannot be downgraded."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.eventually import eventually
from tests.support.security.authenticated_nats import guarded_nats
from tests.support.security.certificates import Authority

from telecine_auditor.errors import SourceError
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.server import Server
from telecine_chassis.runtime.service import Service
from telecine_cli.errors import CommandError
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.target import Target, connected
from telecine_contracts.permissions import OPERATOR
from telecine_credits.app import build
from telecine_credits.settings import Settings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@contextmanager
def tls_server(folder: Path, authority: Authority, *, verify: bool = False) -> Iterator[EmbeddedNats]:
    """A server with a certificate of the authority; with `verify` it wants one of its clients, too."""
    certificate, key = authority.issue("nats")
    tls = {
        "cert_file": str(certificate),
        "key_file": str(key),
        "ca_file": str(authority.certificate),
        "verify": verify,
        "handshake_first": True,
    }
    files = dict(zip(("tls_cert", "tls_key"), authority.issue("operator"), strict=True)) if verify else {}
    page = f"tls: {json.dumps(tls)}\n"
    with guarded_nats(folder, lambda users: page + users, tls_ca=authority.certificate, **files) as part:
        yield part


async def operator_can_connect(server: EmbeddedNats, **tls: Any) -> bool:
    """Whether the operator gets an answer with these files."""
    target = Target(server.url, access=replace(server.access(OPERATOR), **tls))
    try:
        async with connected(target) as connection:
            await connection.jetstream().account_info()
    except CommandError:
        return False
    return True


def service(server: EmbeddedNats, folder: Path, authority: Authority) -> Service:
    """The credits service, which trusts this authority."""
    return build(
        Settings(
            nats_url=server.url,
            nats_nkey_seed_file=server.access("credits").nkey_seed,
            nats_tls_ca=authority.certificate,
            database_url=f"sqlite:///{folder / 'credits.db'}",
        )
    )


async def test_a_service_and_the_operator_come_over_tls(tmp_path: Path, authority: Authority) -> None:
    with tls_server(tmp_path, authority) as server:
        assert await operator_can_connect(server, tls_ca=authority.certificate)
        credits = service(server, tmp_path, authority)
        await credits.start()
        assert await credits.ready() is None
        await credits.stop()


async def test_unknown_authority_is_refused(tmp_path: Path, authority: Authority) -> None:
    foreign = Authority(tmp_path / "foreign")
    with tls_server(tmp_path, authority) as server:
        assert not await operator_can_connect(server, tls_ca=foreign.certificate)
        with structlog.testing.capture_logs() as logs:
            starting = asyncio.create_task(service(server, tmp_path, foreign).start())
            await eventually(lambda: len(failed(logs)) > 1, what="it does not try again")
            assert set(failed(logs)) == {"SSLCertVerificationError"}
            starting.cancel()
            await asyncio.wait([starting])


def failed(logs: Sequence[Any]) -> list[str]:
    return [entry["error"] for entry in logs if entry["event"] == "nats.error"]


async def test_a_server_may_want_a_certificate_of_its_clients(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("client")
    foreign_certificate, foreign_key = Authority(tmp_path / "foreign").issue("client")
    ca = authority.certificate
    with tls_server(tmp_path, authority, verify=True) as server:
        assert await operator_can_connect(server, tls_ca=ca, tls_cert=certificate, tls_key=key)
        assert not await operator_can_connect(server, tls_ca=ca)
        assert not await operator_can_connect(
            server, tls_ca=ca, tls_cert=foreign_certificate, tls_key=foreign_key
        )


async def auditor_can_connect(server: EmbeddedNats, ca: Path) -> bool:
    """Whether an auditor who trusts this authority gets to the ledger."""
    try:
        source = await NatsSource.open(
            Server(url=server.url, nkey_seed=server.access("auditor").nkey_seed, tls_ca=ca)
        )
    except SourceError:
        return False
    try:
        return await source.has("LEDGER")
    finally:
        await source.close()


async def test_an_auditor_comes_over_tls_or_not_at_all(tmp_path: Path, authority: Authority) -> None:
    async with asyncio.timeout(30):
        with tls_server(tmp_path / "right", authority) as server:
            assert await auditor_can_connect(server, authority.certificate)
            assert not await auditor_can_connect(server, Authority(tmp_path / "foreign").certificate)
        with guarded_nats(tmp_path / "plain") as server:
            assert not await auditor_can_connect(server, authority.certificate)


async def test_a_client_that_wants_tls_takes_nothing_less(tmp_path: Path, authority: Authority) -> None:
    """A server without TLS could also be an attacker in between who removed TLS from its INFO."""
    with guarded_nats(tmp_path) as server:
        assert await operator_can_connect(server)
        assert not await operator_can_connect(server, tls_ca=authority.certificate)
