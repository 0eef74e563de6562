"""HTTP behaviour of every route: authentication, isolation, errors, headers, callbacks, pages."""

import asyncio
import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.support.data.video_events import GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.http_servers.chassis_server import Reply, exchange
from tests.support.servers.instances import nats_server

from telecine_chassis.callback_tokens import callback_token
from telecine_contracts import EVENTS
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_gateway.access.api_keys import new_key
from telecine_gateway.models.schemas import ModelList
from telecine_gateway.pricing.schemas import Pricing

PUBLIC = {"/healthz", "/readyz", "/api/models", "/api/pricing"}


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared:
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway(cancel_timeout=0.3) as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


async def test_every_route_except_public_ones_requires_a_key(gateway: Gateway) -> None:
    document = (await gateway.http.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answer = await gateway.http.request(method, path.replace("{id}", str(uuid4())))
            open_to_all = path in PUBLIC

            assert ("security" in operation) is not open_to_all
            assert (answer.status_code == 401) is not open_to_all, path
            if not open_to_all:
                assert answer.json() == {"error": "Unauthorized", "code": "unauthorized"}
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_key_is_accepted_in_either_header_only(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)
    secret = owner.key.secret
    for headers, status in (
        ({"Authorization": f"Bearer {secret}"}, 200),
        ({"authorization": f"bearer  {secret}"}, 200),
        ({"X-API-Key": secret}, 200),
        ({"Authorization": f"Basic {secret}"}, 401),
        ({"Authorization": secret}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"X-API-Key": new_key().secret}, 401),
        ({"X-API-Key": secret[:-1]}, 401),
        ({"X-API-Key": "x" * 10_000}, 401),
        ({"Cookie": f"key={secret}"}, 401),
    ):
        answer = await gateway.http.get("/api/credits", headers=headers)
        assert answer.status_code == status, headers.keys()


async def test_new_key_works_immediately(environment: GatewayEnvironment, gateway: Gateway) -> None:
    for number in range(20):
        key = await environment.key(f"account-{number}")
        answer = await gateway.http.get("/api/credits", headers={"X-API-Key": key.secret})
        assert answer.status_code == 200


async def test_a_revoked_key_stops_within_a_second(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner, other = await environment.owner(gateway), await environment.owner(gateway)
    await environment.revoke(owner)
    give_up = asyncio.get_running_loop().time() + 1

    while (await owner.get("/api/credits")).status_code != 401:
        assert asyncio.get_running_loop().time() < give_up

    assert (await other.get("/api/credits")).status_code == 200


async def test_accounts_are_isolated(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner, other_client = await environment.owner(gateway), await environment.owner(gateway, "other_client")
    of = GenerationEvents(owner.account, str(uuid4()))
    await environment.append(of.requested())
    for method, path in (
        ("GET", "/api/video/{}"),
        ("GET", "/api/video/{}/content"),
        ("POST", "/api/video/{}/cancel"),
        ("GET", "/api/video/status?taskId={0}&historyId={0}"),
    ):
        foreign, unknown = [
            await gateway.http.request(method, path.format(id), headers=other_client.headers())
            for id in (of.generation, str(uuid4()))
        ]
        assert (foreign.status_code, foreign.content) == (404, b'{"error":"Not found","code":"not_found"}')
        assert foreign.content == unknown.content
    assert (await other_client.get("/api/video/history")).json()["items"] == []


async def test_malformed_paths_get_json_errors(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for path in (
        "/",
        "/api",
        "/api/credits/",
        "/api/video/%F0%9F%8E%AC",
        "/api/video/*",
        "/api/video/>",
        "/api/video/a.b/content",
        "/api/video/..%2f..%2fetc",
        "/api/video/" + "9" * 5000,
        "/api/video/status/../history%20X: y",
        "/callbacks/provider/a/b/c",
        "/static/app.js",
    ):
        answer = await owner.get(path)
        assert answer.status_code == 404 or (answer.status_code, path) == (
            405,
            "/callbacks/provider/a/b/c",
        ), path
        assert set(answer.json()) == {"error", "code"}
    for method, path in (("DELETE", "/api/credits"), ("PUT", "/api/video/generate"), ("POST", "/healthz")):
        answer = await gateway.http.request(method, path, headers=owner.headers())
        assert (answer.status_code, answer.json()) == (
            405,
            {"error": "Method not allowed", "code": "method_not_allowed"},
        )


async def test_every_response_has_security_headers(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for path in ("/healthz", "/docs", "/nowhere", "/api/credits", "/api/video/history?limit=x"):
        headers = (await owner.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


async def test_large_header_returns_431(gateway: Gateway) -> None:
    answer = await gateway.http.get("/healthz", headers={"X-Long": "x" * 17_000})

    assert (answer.status_code, set(answer.json())) == (431, {"error", "code"})


async def test_readyz_reports_nats(tmp_path: Path) -> None:
    async with (
        nats_server(tmp_path) as nats,
        gateway_environment(nats, tmp_path) as environment,
        environment.gateway() as gateway,
    ):
        assert (await gateway.http.get("/readyz")).json() == {"status": "ok"}
        nats.kill()
        for _ in range(400):
            answer = await gateway.http.get("/readyz")
            if answer.status_code == 503:
                break

        assert (answer.json()["status"], answer.json()["code"]) == ("unavailable", "unavailable")
        assert (await gateway.http.get("/healthz")).json() == {"status": "ok"}
        await nats.start()


async def test_models_are_listed_without_a_key(gateway: Gateway) -> None:
    answer = await gateway.http.get("/api/models", headers={"authorization": ""})

    listed = ModelList.model_validate(answer.json())
    default = listed.models[0]
    assert default.name == listed.default_model == DEFAULT_MODEL
    assert [
        line.resolution for line in default.prices if line.service_tier == "default"
    ] == default.resolutions
    (standard,) = (
        line for line in default.prices if (line.resolution, line.service_tier) == ("720p", "default")
    )
    assert [(each.shortest, each.longest, each.credits) for each in standard.seconds] == [
        (2, 10, 50),
        (11, 12, 75),
    ]


async def test_pricing_returns_table_models_and_quote(gateway: Gateway) -> None:
    async def pricing(**params: object) -> httpx.Response:
        return await gateway.http.get(
            "/api/pricing", params={key: str(value) for key, value in params.items()}
        )

    plain = Pricing.model_validate((await pricing()).json())
    assert (plain.quote.credits, plain.quote.duration, plain.quote.resolution) == (50, 5, "720p")
    assert [(p.resolution, p.short, p.long) for p in plain.prices] == [
        ("480p", 40, 60),
        ("720p", 50, 75),
        ("1080p", 70, 105),
    ]
    assert len(plain.models) == 4
    for params, credits in (
        ({"resolution": "480p"}, 40),
        ({"resolution": "1080p", "duration": 12}, 105),
        ({"duration": 10}, 50),
        ({"duration": 15, "model": "doubao-seedance-2-0-260128"}, 450),
    ):
        assert (await pricing(**params)).json()["quote"]["credits"] == credits
    for params, field in (
        ({"duration": 15}, "duration"),
        ({"duration": "x"}, "duration"),
        ({"duration": "nan"}, "duration"),
        ({"duration": "1e999"}, "duration"),
        ({"duration": ""}, "duration"),
        ({"resolution": "4k"}, "resolution"),
        ({"model": "gpt"}, "model"),
    ):
        answer = await pricing(**params)
        assert answer.status_code == 400
        assert [bad["field"] for bad in answer.json()["fields"]] == [field]


async def test_provider_callback_triggers_a_poll_only(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    account, generation = environment.account(), str(uuid4())
    secret = gateway.settings.callback_secret.get_secret_value()
    token = callback_token(secret, account, generation)
    path = f"/callbacks/provider/{account}/{generation}/{token}"
    subscription = await environment.connection.jetstream().pull_subscribe_bind(
        durable="generation-timers", stream="TIMERS"
    )
    queued = await gateway.http.post(path, json={"id": "cgt-0", "status": "queued"})
    assert (queued.status_code, queued.content) == (204, b""), (
        "acknowledged, and there is nothing to poll yet"
    )
    for content, hint in (
        (b'{"id": "cgt-1", "status": "running", "junk": [1]}', b'{"providerTaskId": "cgt-1"}'),
        (b'{"id": "cgt 1\\r\\n"}', b""),
        (b'{"id": 5}', b""),
        (b"\xff not json", b""),
        (b"[]", b""),
        (b"", b""),
    ):
        answer = await gateway.http.post(path, content=content)
        assert (answer.status_code, answer.content) == (204, b"")
        while True:  # other tests' timers are on the stream, too
            [message] = await subscription.fetch(1, timeout=5)
            await message.ack()
            if message.subject == f"timers.due.generation.wake.{account}.{generation}":
                break
        assert message.data == hint
    for wrong in (
        f"/callbacks/provider/other/{generation}/{token}",
        f"/callbacks/provider/{account}/{uuid4()}/{token}",
        f"/callbacks/provider/{account}/{generation}/{int(token, 16) ^ 1:032x}",
        f"/callbacks/provider/a.b/{generation}/%C3%BC",
    ):
        answer = await gateway.http.post(wrong, json={"id": "cgt-1"})
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found", "code": "not_found"})
    assert (await gateway.http.post(path, content=b"x" * 70_000)).status_code == 413


async def test_pages_load_no_external_resources(gateway: Gateway) -> None:
    for path in ("/docs", "/events"):
        answer = await gateway.http.get(path)
        page = _Page()
        page.feed(answer.text)

        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not page.tags & {"script", "link", "img", "iframe"}
        assert all(link.startswith(("/", "#")) for link in page.links)
        for link in page.links:
            assert (await gateway.http.get(link.partition("#")[0] or path)).status_code == 200
    events = (await gateway.http.get("/events")).text
    assert all(event.type in events for event in EVENTS)
    document = (await gateway.http.get("/events/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name in ("href", "src") and value}


async def test_openapi_has_an_example_of_every_response(gateway: Gateway) -> None:
    document = (await gateway.http.get("/openapi.json")).json()
    bodies = [
        content
        for operations in document["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for kind, content in answer.get("content", {}).items()
        if kind == "application/json"
    ]

    assert bodies
    assert all("example" in body for body in bodies)
    generate = document["paths"]["/api/video/generate"]["post"]
    assert set(generate["requestBody"]["content"]["application/json"]["examples"]) == {
        "text-to-video",
        "image-to-video",
        "references",
    }
    assert "422" not in json.dumps(document["paths"])


async def test_no_secret_is_logged(
    environment: GatewayEnvironment, gateway: Gateway, capfd: pytest.CaptureFixture[str]
) -> None:
    async with environment.credits():
        owner = await environment.owner(gateway, credits=50)
        await owner.generate({"prompt": "canary-prompt\r\nforged line"})
        await owner.generate({"prompt": "canary-prompt --rs 1080p"})
        await owner.get(f"/api/video/{uuid4()}/content?expires=1&signature=canary-signature")
        await AccountClient(owner.account, new_key(), gateway.http).get("/api/credits")
        office = await environment.owner(gateway, "office", scopes=("admin",))
        canaries = {"reference": "canary-reference", "reason": "canary-reason"}
        grant = {"account": owner.account, "amount": 5, **canaries}
        assert (await office.post("/api/admin/grants", grant)).status_code == 201

    out, err = capfd.readouterr()
    assert "generation.requested" in out + err
    assert office.key.key_id in out + err
    assert "canary" not in out + err
    assert owner.key.secret not in out + err


async def test_head_is_supported_where_get_is(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for path in (
        "/healthz",
        "/readyz",
        "/docs",
        "/openapi.json",
        "/api/credits",
        "/api/video/history",
        "/no",
    ):
        get = await owner.get(path)
        head = await gateway.http.head(path, headers=owner.headers())

        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == get.headers["content-length"]
    assert (await gateway.http.head(f"/api/video/{uuid4()}/cancel")).status_code == 405
    assert (await gateway.http.post("/healthz")).headers["allow"] == "GET, HEAD"


async def test_body_that_is_declared_too_large_is_refused_unread(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)
    head = f"POST /api/video/generate HTTP/1.1\r\nHost: gateway\r\nX-API-Key: {owner.key.secret}\r\n"

    declared = await send_raw(gateway, head + "Content-Length: 70000\r\n\r\n")
    photo = await owner.generate({"prompt": "a cat", "imageUrl": "data:image/png;base64," + "A" * 5_000_000})
    no_key = await gateway.http.post("/api/video/generate", content=b"x" * 5_000_000)

    assert declared.json == {
        "error": "The request body must not be larger than 65536 bytes",
        "code": "body_too_large",
    }
    assert (declared.status, photo.status_code, no_key.status_code) == (413, 413, 401)


async def test_compressed_body_returns_415(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for coding, status in (("gzip", 415), ("br, gzip", 415), ("Identity", 400), ("", 400)):
        answer = await owner.post("/api/video/generate", {}, Content_Encoding=coding)

        assert answer.status_code == status, coding
        if status == 415:
            assert answer.headers["accept-encoding"] == "identity"
            assert "Content-Encoding" in answer.json()["error"]


async def test_trailing_whitespace_of_a_key_is_ignored(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)
    head = f"POST /api/video/generate HTTP/1.1\r\nHost: gateway\r\nX-API-Key: {owner.key.secret} \r\n"

    reply = await send_raw(gateway, head + "Idempotency-Key: order-1 \t\r\nContent-Length: 2\r\n\r\n{}")

    assert (reply.status, "prompt" in reply.json["error"]) == (400, True)


async def test_ids_are_case_insensitive(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    of = GenerationEvents(owner.account, str(uuid4()))
    await environment.append(of.requested())
    id = of.generation.upper()
    for method, path in (
        ("GET", f"/api/video/{id}"),
        ("GET", f"/api/video/status?taskId={id}&historyId={id}"),
        ("POST", f"/api/video/{id}/cancel"),
    ):
        answer = await gateway.http.request(method, path, headers=owner.headers())
        assert answer.status_code in (200, 202), path
        assert answer.json()["id"] == of.generation
    secret = gateway.settings.callback_secret.get_secret_value()
    token = callback_token(secret, owner.account, of.generation)
    assert (await gateway.http.post(f"/callbacks/provider/{owner.account}/{id}/{token}")).status_code == 204


async def send_raw(gateway: Gateway, request: str) -> Reply:
    """The response to these very bytes."""
    return await asyncio.to_thread(exchange, gateway.settings.http_port, request.encode())
