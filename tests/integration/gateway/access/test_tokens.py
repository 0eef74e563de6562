"""A gateway that accepts an issuer's tokens beside API keys, and gives new accounts credits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.support.environments.gateway import Gateway, GatewayEnvironment, gateway_environment
from tests.support.http_servers.scripted_server import answer
from tests.support.http_servers.token_issuer import AUDIENCE, ISSUER, Issuer, SigningKey, token_issuer
from tests.support.servers.instances import nats_server

from telecine_contracts import subjects
from telecine_contracts.commands import CloseAccount
from telecine_contracts.credits import CreditsGranted, GrantKind

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared, shared.credits():
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with token_issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment, issuer: Issuer) -> AsyncIterator[Gateway]:
    async with shared.gateway(**settings_for(issuer, signup_credits=700)) as gateway:
        yield gateway


def settings_for(issuer: Issuer, **more: Any) -> dict[str, Any]:
    return {
        "jwks_url": issuer.url,
        "jwt_issuer": ISSUER,
        "jwt_audiences": (AUDIENCE,),
        "jwt_scope_claims": ("scope",),
        **more,
    }


def new_account() -> str:
    return f"user-{uuid4().hex[:12]}"


async def get(gateway: Gateway, token: str, path: str = "/api/credits", **params: Any) -> httpx.Response:
    return await gateway.http.get(path, params=params, headers={"Authorization": f"Bearer {token}"})


async def grants(environment: GatewayEnvironment, account: str) -> list[CreditsGranted]:
    events = [recorded.event for recorded in await environment.load(subjects.ledger(account))]
    return [event for event in events if isinstance(event, CreditsGranted)]


async def test_token_acts_for_the_account_that_it_names(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    account = new_account()
    token = issuer.token(sub=account)
    made = await gateway.http.post(
        "/api/video/generate", json={"prompt": "a cat"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert made.status_code == 200, made.text
    listed = (await get(gateway, token, "/api/video/history")).json()
    foreign = await get(gateway, issuer.token(sub=new_account()), f"/api/video/{made.json()['id']}")
    recorded = await shared.load(subjects.video(account, made.json()["id"]))

    assert [record["id"] for record in listed["items"]] == [made.json()["id"]]
    assert foreign.status_code == 404
    assert recorded[0].event.about["account"] == account


async def test_keys_work_beside_tokens(shared: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await shared.for_test().owner(gateway)

    assert (await owner.get("/api/credits")).status_code == 200
    assert (await get(gateway, owner.key.secret[:-1])).status_code == 401


async def test_token_is_a_bearers_and_nothing_else(gateway: Gateway, issuer: Issuer) -> None:
    answered = await gateway.http.get("/api/credits", headers={"X-API-Key": issuer.token(sub=new_account())})
    assert answered.status_code == 401


async def test_token_is_limited_to_its_scopes(gateway: Gateway, issuer: Issuer) -> None:
    account = new_account()
    reader, admin = issuer.token(sub=account, scope=""), issuer.token(sub=account, scope="admin")

    assert (await get(gateway, reader)).status_code == 200
    assert (await get(gateway, reader, "/api/video/history")).json()["scope"] == "generate"
    assert (await get(gateway, admin, f"/api/admin/accounts/{account}")).status_code == 200


async def test_refused_token_is_a_401_that_says_why_in_its_header(gateway: Gateway, issuer: Issuer) -> None:
    for token, words in (
        (issuer.token(exp=1), "expired"),
        (issuer.token(aud="other"), "audience"),
        (SigningKey.new("other").sign(issuer.claims()), "not signed with a key of the issuer"),
        ("e30.e30.e30", "malformed"),
    ):
        refused = await get(gateway, token)
        challenge = refused.headers["www-authenticate"]

        assert (refused.status_code, refused.json()) == (
            401,
            {"error": "Unauthorized", "code": "unauthorized"},
        )
        assert challenge.startswith('Bearer realm="telecine", error="invalid_token", error_description="')
        assert words in challenge
    assert (await gateway.http.get("/api/credits")).headers["www-authenticate"] == 'Bearer realm="telecine"'


async def test_account_that_can_not_exist_is_a_403_that_names_the_claim(
    gateway: Gateway, issuer: Issuer
) -> None:
    refused = await get(gateway, issuer.token(sub="ann@example.com"))

    assert (refused.status_code, refused.json()["code"]) == (403, "invalid_account")
    assert "sub" in refused.json()["error"]
    assert "ann" not in refused.text


async def test_token_of_100_kilobytes_is_refused(gateway: Gateway, issuer: Issuer) -> None:
    assert (await get(gateway, issuer.token(note="x" * 100_000))).status_code == 431
    assert (await get(gateway, issuer.token(note="x" * 10_000))).status_code == 401


async def test_nothing_of_a_token_is_logged(
    shared: GatewayEnvironment, issuer: Issuer, capfd: pytest.CaptureFixture[str]
) -> None:
    account = new_account()
    private = {"name": "Canary Lastname", "email": "canary@example.com"}
    tokens = [issuer.token(sub=account, **private), issuer.token(sub=account, exp=1, **private)]
    async with shared.gateway(**settings_for(issuer, log_level="debug")) as gateway:
        statuses = [(await get(gateway, token)).status_code for token in tokens]
    printed = "".join(capfd.readouterr())

    assert statuses == [200, 401]
    assert "anary" not in printed
    for part in ".".join(tokens).split("."):
        assert part not in printed


async def test_gateway_without_keys_of_the_issuer_answers_503_to_tokens_and_serves_api_keys(
    shared: GatewayEnvironment, issuer: Issuer
) -> None:
    issuer.reply = answer(503, b"")
    try:
        async with shared.gateway(**settings_for(issuer)) as gateway:
            refused = await get(gateway, issuer.token())
            owner = await shared.for_test().owner(gateway)
            assert (await owner.get("/api/credits")).status_code == 200
    finally:
        issuer.reply = None
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert "retry-after" in refused.headers


async def test_account_gets_the_sign_up_grant_with_its_first_request(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    account = new_account()
    token = issuer.token(sub=account)

    assert (await get(gateway, token)).json()["available"] == 700
    assert (await get(gateway, token)).json()["available"] == 700
    [grant] = await grants(shared, account)
    assert (grant.amount, grant.reference, grant.kind) == (700, "sign-up", GrantKind.PROMOTIONAL)


async def test_two_gateways_and_many_requests_make_one_grant(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    accounts = [new_account() for _ in range(10)]
    async with shared.gateway(**settings_for(issuer, signup_credits=700)) as other:
        answers = await asyncio.gather(
            *(
                get(each, issuer.token(sub=account))
                for account in accounts
                for each in (gateway, other)
                for _ in range(5)
            )
        )
    assert {answered.status_code for answered in answers} == {200}
    assert [len(await grants(shared, account)) for account in accounts] == [1] * 10


async def test_another_amount_is_not_granted_in_addition(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    account = new_account()
    await get(gateway, issuer.token(sub=account))
    async with shared.gateway(**settings_for(issuer, signup_credits=5000)) as other:
        assert (await get(other, issuer.token(sub=account))).json()["available"] == 700
    assert len(await grants(shared, account)) == 1


async def test_account_with_other_credits_gets_the_grant_too(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    account = new_account()
    await shared.grant(account, 50)

    assert (await get(gateway, issuer.token(sub=account))).json()["available"] == 750


async def test_closed_account_gets_no_grant_and_can_read(
    shared: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    account = new_account()
    await shared.grant(account, 50)
    await shared.command(CloseAccount.subject, CloseAccount(account=account))

    assert (await get(gateway, issuer.token(sub=account))).json()["available"] == 50


async def test_without_the_setting_nothing_is_granted(shared: GatewayEnvironment, issuer: Issuer) -> None:
    account = new_account()
    async with shared.gateway(**settings_for(issuer)) as gateway:
        assert (await get(gateway, issuer.token(sub=account))).json()["available"] == 0


async def test_grant_may_require_a_claim(shared: GatewayEnvironment, issuer: Issuer) -> None:
    account = new_account()
    settings = settings_for(issuer, signup_credits=700, signup_claim="emailVerified")
    async with shared.gateway(**settings) as gateway:
        unverified = await get(gateway, issuer.token(sub=account, emailVerified=False))
        verified = await get(gateway, issuer.token(sub=account, emailVerified=True))
    assert (unverified.json()["available"], verified.json()["available"]) == (0, 700)
