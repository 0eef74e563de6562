"""What a key may be used for: only what its scopes name, and every key the credits of its own account."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.support.data.video_events import GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import nats_server

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.runtime.bootstrap import utc_now
from telecine_contracts import Event, subjects
from telecine_contracts.access import ApiKeyCreated
from telecine_gateway.access.api_keys import NewKey, Scope, new_key
from telecine_gateway.access.key_rules import Keys

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared:
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway(answer_timeout=0.2) as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


async def key_with(
    environment: GatewayEnvironment, gateway: Gateway, scopes: tuple[str, ...] | None
) -> AccountClient:
    """A key whose event says just that of its scopes, whatever the rules of today are."""
    account, key = environment.account(), new_key()

    def decide(command: NewKey, keys: Keys) -> Event:
        return ApiKeyCreated(
            account=account, key_id=command.key_id, key_sha256=command.key_sha256, name="", scopes=scopes
        )

    rules = Decider(Keys(), decide, lambda keys, event: keys)
    ledger = CommandHandler(environment.store, rules, source="telecine/operator", clock=utc_now)
    await ledger.handle(subjects.access(account), key, Cause(key.key_id, key.key_id))
    owner = AccountClient(account, key, gateway.http)
    for _ in range(400):
        if (await owner.get("/api/credits")).status_code == 200:
            return owner
    raise AssertionError("the key did not begin to work")


async def status_by_route(gateway: Gateway, owner: AccountClient) -> dict[str, tuple[int, str]]:
    """The status of every route that needs a key, and the scope that it names."""
    document = (await gateway.http.get("/openapi.json")).json()
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if "security" not in operation:
                continue
            url = path.replace("{id}", str(uuid4())).replace("{account}", owner.account)
            answer = await gateway.http.request(method, url, headers=owner.headers())
            kind = answer.headers.get("content-type", "")
            scope = answer.json().get("scope", "") if kind.startswith("application/json") else ""
            found[f"{method.upper()} {path}"] = (answer.status_code, scope)
    return found


def forbidden_routes(found: dict[str, tuple[int, str]], scope: str) -> set[str]:
    return {route for route, told in found.items() if told == (403, scope)}


ADMIN = {
    "POST /api/admin/grants",
    "POST /api/admin/adjustments",
    "POST /api/admin/accounts/{account}/close",
    "POST /api/admin/accounts/{account}/reopen",
    "PUT /api/admin/accounts/{account}/limits",
    "GET /api/admin/accounts/{account}",
}
VIDEOS = {
    "POST /api/video/generate",
    "GET /api/video/status",
    "GET /api/video/history",
    "GET /api/video/{id}",
    "GET /api/video/{id}/content",
    "POST /api/video/{id}/cancel",
    "POST /api/quotes",
}
OWN_KEYS = {
    "GET /api/keys",
    "POST /api/keys",
    "POST /api/keys/{id}/rotate",
    "DELETE /api/keys/{id}",
}
ANY = {"GET /api/credits", "GET /api/credits/statement"}


async def test_openapi_names_the_scope_of_every_route(gateway: Gateway) -> None:
    document = (await gateway.http.get("/openapi.json")).json()
    named: dict[tuple[str, ...], set[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert "x-scopes" not in operation
            for scheme in operation.get("security", [])[:1]:
                [scopes] = scheme.values()
                named.setdefault(tuple(scopes), set()).add(f"{method.upper()} {path}")
    assert named == {("admin",): ADMIN, ("keys",): OWN_KEYS, ("generate",): VIDEOS, (): ANY}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (None, VIDEOS),
        (("generate",), VIDEOS),
        (("admin",), ADMIN),
        (("admin", "generate"), ADMIN | VIDEOS),
        (("generate", "keys"), OWN_KEYS | VIDEOS),
        ((), set()),
        (("something-newer",), set()),
    ],
)
async def test_key_is_limited_to_its_scopes(
    environment: GatewayEnvironment, gateway: Gateway, scopes: tuple[str, ...] | None, allowed: set[str]
) -> None:
    owner = await key_with(environment, gateway, scopes)

    found = await status_by_route(gateway, owner)

    assert set(found) == ADMIN | OWN_KEYS | VIDEOS | ANY
    for scope, routes in ((Scope.ADMIN, ADMIN), (Scope.KEYS, OWN_KEYS), (Scope.GENERATE, VIDEOS)):
        assert forbidden_routes(found, scope) == routes - allowed
    assert {found[route][0] for route in ANY} == {200}
    assert 401 not in {status for status, _ in found.values()}


async def test_signed_url_needs_no_scope(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    office = await environment.owner(gateway, scopes=("admin",))
    of = GenerationEvents(owner.account, str(uuid4()))
    for event in (of.requested(), of.started(), of.submitted(), of.ready(), of.stored()):
        await environment.append(event)
    link = (await owner.status(of.generation))["videoUrl"]

    by_link = await gateway.http.head(link)
    with_key = await office.get(f"/api/video/{of.generation}/content")
    foreign = await (await environment.owner(gateway, "other_client")).get(f"/api/video/{of.generation}")

    assert by_link.status_code == 200
    assert (with_key.status_code, with_key.json()["scope"]) == (403, "generate")
    assert (foreign.status_code, foreign.content) == (404, b'{"error":"Not found","code":"not_found"}')
