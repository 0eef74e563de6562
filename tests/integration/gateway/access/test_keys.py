"""`/api/keys`: an account lists, creates, rotates and revokes its own keys."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.environments.gateway import (
    AccountClient,
    Gateway,
    GatewayEnvironment,
    assert_matches_schema,
    gateway_environment,
)
from tests.support.eventually import eventually_async
from tests.support.http_servers.token_issuer import AUDIENCE, ISSUER, Issuer, token_issuer
from tests.support.servers.instances import nats_server

from telecine_contracts import subjects
from telecine_contracts.access import ApiKeyAdded, ApiKeyUsed
from telecine_contracts.timestamps import format_timestamp
from telecine_gateway.keys.schemas import CreatedKeyBody, KeyListBody

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]

BOTH = ("generate", "keys")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared:
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    async with token_issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment, issuer: Issuer) -> AsyncIterator[Gateway]:
    settings = {"jwks_url": issuer.url, "jwt_issuer": ISSUER, "jwt_audiences": (AUDIENCE,)}
    async with shared.gateway(**settings, jwt_default_scopes=BOTH) as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


@pytest_asyncio.fixture(loop_scope="module")
async def owner(environment: GatewayEnvironment, gateway: Gateway) -> AccountClient:
    return await environment.owner(gateway, scopes=BOTH)


def in_hours(hours: float) -> str:
    return format_timestamp(datetime.now(UTC) + timedelta(hours=hours))


async def created(owner: AccountClient, **body: Any) -> dict[str, Any]:
    answer = await owner.post("/api/keys", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert_matches_schema(CreatedKeyBody, found)
    return found


async def listed(owner: AccountClient) -> dict[str, dict[str, Any]]:
    answer = await owner.get("/api/keys")
    assert answer.status_code == 200, answer.text
    assert_matches_schema(KeyListBody, answer.json())
    return {key["id"]: key for key in answer.json()["items"]}


async def works(gateway: Gateway, key: str) -> bool:
    answer = await gateway.http.get("/api/credits", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code == 200


async def revoke(owner: AccountClient, key_id: str) -> httpx.Response:
    return await owner.http.delete(f"/api/keys/{key_id}", headers=owner.headers())


async def test_created_key_works_at_once_and_is_listed(gateway: Gateway, owner: AccountClient) -> None:
    expires_at = in_hours(24)
    made = await created(owner, name="render", expiresAt=expires_at)

    assert await works(gateway, made["key"])
    keys = await listed(owner)
    assert list(keys) == [made["id"], owner.key.key_id]
    shown = keys[made["id"]]
    assert (shown["name"], shown["scopes"], shown["expiresAt"]) == ("render", ["generate"], expires_at)
    assert shown["createdAt"] == made["createdAt"]
    assert [key["isCaller"] for key in keys.values()] == [False, True]
    assert made["key"] not in str(keys)


async def test_the_key_itself_is_nowhere_in_the_stream(
    environment: GatewayEnvironment, owner: AccountClient
) -> None:
    made = await created(owner)
    events = [recorded.event for recorded in await environment.load(subjects.access(owner.account))]

    assert any(isinstance(event, ApiKeyAdded) and event.key_id == made["id"] for event in events)
    assert made["key"] not in str(events)


async def test_user_with_a_token_manages_the_keys_of_the_account(
    environment: GatewayEnvironment, gateway: Gateway, issuer: Issuer
) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(sub=environment.account())}"}
    made = await gateway.http.post("/api/keys", json={"name": "mine"}, headers=headers)
    assert made.status_code == 201
    assert await works(gateway, made.json()["key"])
    removed = await gateway.http.delete(f"/api/keys/{made.json()['id']}", headers=headers)

    assert removed.status_code == 204
    assert not await works(gateway, made.json()["key"])


async def test_key_can_not_make_a_key_with_more_scopes(owner: AccountClient) -> None:
    refused = await owner.post("/api/keys", {"scopes": ["admin", "generate"]})

    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert refused.json()["scope"] == "admin"
    assert len(await listed(owner)) == 1


async def test_key_that_expires_can_not_outlive_itself_by_another_key(
    environment: GatewayEnvironment, gateway: Gateway, owner: AccountClient
) -> None:
    soon = await created(owner, scopes=["generate", "keys"], expiresAt=in_hours(1))
    headers = {"Authorization": f"Bearer {soon['key']}"}
    for body, status in (({}, 409), ({"expiresAt": in_hours(2)}, 409), ({"expiresAt": in_hours(0.5)}, 201)):
        answer = await gateway.http.post("/api/keys", json=body, headers=headers)
        assert answer.status_code == status
        assert status == 201 or answer.json()["code"] == "key_expiry"


async def test_expired_key_stops_working_and_is_not_listed(
    environment: GatewayEnvironment, gateway: Gateway, owner: AccountClient
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    key = await environment.key(owner.account, expires_at=soon)
    assert await works(gateway, key.secret)

    async def stopped() -> bool:
        return not await works(gateway, key.secret)

    await eventually_async(stopped)
    assert datetime.now(UTC) >= soon
    assert key.key_id not in await listed(owner)


async def test_rotated_key_works_beside_the_new_one(gateway: Gateway, owner: AccountClient) -> None:
    old = await created(owner, name="render", scopes=["generate", "keys"])
    answer = await owner.post(f"/api/keys/{old['id']}/rotate", {"overlapSeconds": 3600})
    assert answer.status_code == 201, answer.text
    new = answer.json()

    assert (new["name"], new["scopes"], new["replaces"]) == ("render", ["generate", "keys"], old["id"])
    assert await works(gateway, old["key"])
    assert await works(gateway, new["key"])
    assert (await listed(owner))[old["id"]]["expiresAt"] == new["replacedUntil"]


async def test_key_rotated_without_overlap_stops_at_once(gateway: Gateway, owner: AccountClient) -> None:
    old = await created(owner)
    assert await works(gateway, old["key"])
    new = (await owner.post(f"/api/keys/{old['id']}/rotate", {"overlapSeconds": 0})).json()

    assert await works(gateway, new["key"])
    assert not await works(gateway, old["key"])


async def test_revoked_key_stops_working_at_every_gateway(
    shared: GatewayEnvironment, gateway: Gateway, owner: AccountClient
) -> None:
    made = await created(owner)
    async with shared.gateway() as other:
        assert await works(other, made["key"])
        assert (await revoke(owner, made["id"])).status_code == 204

        async def stopped() -> bool:
            return not await works(other, made["key"])

        assert not await works(gateway, made["key"])
        await eventually_async(stopped)
    assert (await revoke(owner, made["id"])).status_code == 204


async def test_key_of_another_account_is_unknown(
    environment: GatewayEnvironment, gateway: Gateway, owner: AccountClient
) -> None:
    other = await environment.owner(gateway, "other", scopes=BOTH)
    for key_id in (other.key.key_id, "key_unknown", "a b"):
        assert (await revoke(owner, key_id)).status_code == 404
        assert (await owner.post(f"/api/keys/{key_id}/rotate")).status_code == 404
    assert await works(gateway, other.key.secret)
    assert other.key.key_id not in await listed(owner)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "generate"}, "scopes"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"key": "tk_mine"}, "key"),
    ],
)
async def test_invalid_field_is_named(owner: AccountClient, body: dict[str, Any], field: str) -> None:
    answer = await owner.post("/api/keys", body)

    assert answer.status_code == 400
    assert [invalid["field"] for invalid in answer.json()["fields"]] == [field]


async def test_first_use_of_a_key_is_recorded_and_later_ones_of_the_day_are_not(
    environment: GatewayEnvironment, shared: GatewayEnvironment, gateway: Gateway, owner: AccountClient
) -> None:
    made = await created(owner)
    assert (await listed(owner))[made["id"]]["lastUsedAt"] is None
    async with shared.gateway() as other:
        for each in (gateway, other) * 5:
            assert await works(each, made["key"])

        async def is_shown() -> bool:
            return (await listed(owner))[made["id"]]["lastUsedAt"] is not None

        await eventually_async(is_shown)
    events = [recorded.event for recorded in await environment.load(subjects.access(owner.account))]
    uses = [event for event in events if isinstance(event, ApiKeyUsed) and event.key_id == made["id"]]
    assert len(uses) == 1
