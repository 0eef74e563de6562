"""Text that must not be stored or shown returns a 400 that names the place, on every way in."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import nats_server

from telecine_contracts import subjects

INVALID_TEXTS = {
    "a NUL": "%00",
    "a control character": "%1b",
    "no UTF-8": "%ff",
    "half a surrogate pair": "%ed%a0%80",
}
INVALID_TEXTS |= {"an override of direction": "%e2%80%ae"}


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server and credits service for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared, shared.credits():
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway() as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


@pytest_asyncio.fixture(loop_scope="module")
async def admin_client(environment: GatewayEnvironment, gateway: Gateway) -> AccountClient:
    return await environment.owner(gateway, "acme", credits=100, scopes=("admin", "generate"))


def named(answer: Any) -> tuple[int, list[str]]:
    return answer.status_code, [bad["field"] for bad in answer.json().get("fields", [])]


async def test_invalid_text_in_path_or_query_returns_400(admin_client: AccountClient) -> None:
    for text in INVALID_TEXTS.values():
        for url, field in (
            (f"/api/admin/accounts/{admin_client.account}?limit=5&reference=pay{text}", "reference"),
            (f"/api/credits/statement?account={text}", "account"),
            (f"/api/video/status?taskId={text}&historyId=x", "taskId"),
            (f"/api/video/history?cursor={text}", "cursor"),
            (f"/api/video/history?{text}=5", "query"),
            (f"/api/video/{text}", "path"),
            (f"/api/admin/accounts/{text}", "path"),
            (f"/callbacks/provider/acme/{text}/x", "path"),
            (f"/static/{text}%0d%0aX: y", "path"),
        ):
            assert named(await admin_client.http.get(url, headers=admin_client.headers())) == (
                400,
                [field],
            ), url
    assert (
        await admin_client.get(
            f"/api/admin/accounts/{admin_client.account}", reference="pay \u2067שלום\u2069 ünï+&="
        )
    ).status_code == 200


async def test_invalid_text_in_body_returns_400(
    environment: GatewayEnvironment, admin_client: AccountClient
) -> None:
    before = len(await environment.load(subjects.ledger(admin_client.account)))
    grant = {"account": admin_client.account, "amount": 5, "reference": "pay_1", "reason": "x"}
    adjustment = {
        "account": admin_client.account,
        "corrects": 1,
        "amount": 5,
        "reference": "re_1",
        "reason": "x",
    }
    for text in ("\0", "\x1b", "\x85", "\u202e"):
        for path, body, field in (
            ("/api/video/generate", {"prompt": "a cat"}, "prompt"),
            ("/api/video/generate", {"imageUrl": "https://images.example.com/cat"}, "imageUrl"),
            ("/api/video/generate", {"prompt": "a cat", "model": "x"}, "model"),
            ("/api/admin/grants", grant, "reference"),
            ("/api/admin/grants", grant, "reason"),
            ("/api/admin/adjustments", adjustment, "reason"),
            (f"/api/admin/accounts/{admin_client.account}/close", {"reason": "x"}, "reason"),
        ):
            bad = body | {field: f"{body[field]}{text}x"}
            assert named(await admin_client.post(path, bad)) == (400, [field]), (path, field, text)
    for content in (b'{"prompt": "\\ud800"}', b'{"prompt": "\xff"}', b'{"\\udc00": 1}', b"[" * 9999, b"\xff"):
        answer = await admin_client.http.post(
            "/api/video/generate", content=content, headers=admin_client.headers()
        )
        assert answer.status_code == 400
        assert "not valid JSON: " in answer.json()["error"]
    assert len(await environment.load(subjects.ledger(admin_client.account))) == before


async def test_headers_with_invalid_bytes_are_handled(admin_client: AccountClient) -> None:
    for name, value, status in (
        (b"Idempotency-Key", b"order\xff", 400),
        (b"Idempotency-Key", "order\u202e".encode(), 400),
        (b"X-API-Key", b"tk_\xff", 401),
        (b"Authorization", b"Bearer \xff", 401),
    ):
        known = (
            [] if status == 401 else [(b"Authorization", admin_client.headers()["Authorization"].encode())]
        )
        answer = await admin_client.http.post(
            "/api/video/generate", content=json.dumps({"prompt": "x"}), headers=[*known, (name, value)]
        )
        assert answer.status_code == status
    odd = {b"Accept": b"\xff;q=\xff", b"traceparent": b"00-\xff", b"Accept-Language": b"\xff"}
    plain = [(b"Authorization", admin_client.headers()["Authorization"].encode()), *odd.items()]
    assert (await admin_client.http.get("/api/credits/statement", headers=plain)).status_code == 200


async def test_maximum_timestamps(admin_client: AccountClient) -> None:
    grant = {"account": admin_client.account, "amount": 5, "reference": "pay_1"}
    for time in ("9999-12-31T23:59:59-05:00", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00+10:00"):
        answer = await admin_client.post("/api/admin/grants", grant | {"expiresAt": time})
        assert named(answer) == (400, ["expiresAt"]), answer.text
    far = await admin_client.post("/api/admin/grants", grant | {"expiresAt": "9999-12-30T23:59:59Z"})
    assert far.status_code == 201, far.text
    for format in ("json", "csv", "html"):
        params = {"from": "0001-01-02", "to": "9999-12-30", "format": format}
        assert (await admin_client.get("/api/credits/statement", **params)).status_code == 200
    spans = {"from": "0001-01-02T00:00:00Z", "to": "9999-12-30T00:00:00Z"}
    assert (await admin_client.get("/api/video/history", **spans)).status_code == 200
