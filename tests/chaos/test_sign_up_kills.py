"""The gateway dies while it makes a sign-up grant: the account has it once, whatever happens."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.eventually import eventually, eventually_async
from tests.support.http_servers.token_issuer import AUDIENCE, ISSUER, Issuer, token_issuer
from tests.support.servers.instances import S3Server, nats_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMAND = "telecine_gateway.ledger.nats:NatsLedger.execute"
KNOWN = "telecine_gateway.read_model.account_queries:AccountQueries.has_grant"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with token_issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    s3: S3Server, emulator: Emulator, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Saga]:
    folder = tmp_path_factory.mktemp("saga")
    gateway = {
        "jwks_url": issuer.url,
        "jwt_issuer": ISSUER,
        "jwt_audiences": (AUDIENCE,),
        "signup_credits": 700,
    }
    async with (
        nats_server(folder) as nats,
        saga(nats, s3, emulator, folder, overrides={"gateway": gateway}) as running,
    ):
        yield running


@pytest.mark.parametrize(
    ("target", "moment"),
    [
        pytest.param(KNOWN, "after", id="before-the-command"),
        pytest.param(COMMAND, "before", id="with-the-command-in-its-hands"),
        pytest.param(COMMAND, "after", id="between-the-grant-and-the-answer"),
    ],
)
async def test_grant_is_made_once_though_the_gateway_is_killed(
    environment: Saga, issuer: Issuer, target: str, moment: str
) -> None:
    account = f"user-{abs(hash((target, moment))) % 10**9}"
    headers = {"Authorization": f"Bearer {issuer.token(sub=account)}"}
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers=headers, trust_env=False) as http:

        async def is_ready() -> bool:
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        victim = environment.process("gateway", die=(target, moment, 1))
        victim.start()
        try:
            await eventually_async(is_ready, within=20)
            with pytest.raises(httpx.TransportError):
                await http.get("/api/credits")
            await eventually(lambda: not victim.running, what="the gateway did not die")
        finally:
            victim.kill()
        await environment.start("gateway")
        await eventually_async(is_ready, within=20)
        try:
            found = await asyncio.gather(*(http.get("/api/credits") for _ in range(10)))
        finally:
            await environment.stop("gateway")

        assert {answer.json()["available"] for answer in found} == {700}
        assert action_names(await environment.ledger(account)) == ["granted"]
