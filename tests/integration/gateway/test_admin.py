"""The routes for administrators, on real streams and the real credits service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

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
from tests.support.servers.instances import NatsServer, nats_server

from telecine_contracts import MAX_CREDITS, subjects
from telecine_contracts.credits import CreditsGranted
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.admin.schemas import AccountBody, Adjusted, Changed, Granted
from telecine_gateway.credits.schemas import Credits

GRANTS = "/api/admin/grants"
ADJUSTMENTS = "/api/admin/adjustments"
BOTH = (Scope.ADMIN.value, Scope.GENERATE.value)


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    folder = tmp_path_factory.mktemp("admin")
    async with (
        nats_server(folder) as nats,
        gateway_environment(nats, folder) as environment,
        environment.credits(),
    ):
        yield environment


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with environment.gateway() as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin_client(environment: GatewayEnvironment, gateway: Gateway) -> AccountClient:
    """A client with the scope admin, of an account other than those that tests grant to."""
    return await environment.owner(gateway, "office", scopes=("admin",))


@pytest.fixture
def account() -> str:
    """An account of the test's own."""
    return f"account-{uuid4().hex}"


def grant_body(account: str, /, **changes: Any) -> dict[str, Any]:
    return {"account": account, "amount": 500, "reference": "pay_1"} | changes


async def put_json(owner: AccountClient, path: str, body: Any) -> httpx.Response:
    return await owner.http.put(path, json=body, headers=owner.headers())


async def test_repeated_grant_gets_the_first_answer(
    environment: GatewayEnvironment, admin_client: AccountClient, account: str
) -> None:
    first = await admin_client.post(
        GRANTS, grant_body(account, reason="Starter pack", expiresAt="2101-01-31T12:00:00+02:00")
    )
    again = await admin_client.post(
        GRANTS, grant_body(account, reason="other words", expiresAt="2101-01-31T10:00:00Z")
    )

    assert (first.status_code, again.status_code) == (201, 200)
    assert_matches_schema(Granted, first.json())
    assert first.json() == {
        "account": account,
        "entry": 1,
        "amount": 500,
        "reference": "pay_1",
        "kind": "paid",
        "expiresAt": "2101-01-31T10:00:00.000Z",
        "balances": {"available": 500, "held": 0},
    }
    assert again.json() == first.json()
    [entry] = await environment.load(subjects.ledger(account))
    assert isinstance(entry.event, CreditsGranted)
    assert (entry.event.reason, entry.envelope.source) == ("Starter pack", "telecine/credits")


async def test_twenty_posts_at_two_gateways_grant_once(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    async with environment.gateway() as second:
        elsewhere = AccountClient(admin_client.account, admin_client.key, second.http)
        twins = [*(admin_client for _ in range(10)), *(elsewhere for _ in range(10))]

        answers = await asyncio.gather(*(twin.post(GRANTS, grant_body(account)) for twin in twins))

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(await environment.load(subjects.ledger(account))) == 1


async def test_reused_reference_is_a_conflict(
    environment: GatewayEnvironment, admin_client: AccountClient, account: str
) -> None:
    await admin_client.post(GRANTS, grant_body(account))
    for change in ({"amount": 501}, {"kind": "plan"}, {"expiresAt": "2101-01-01T00:00:00Z"}):
        answer = await admin_client.post(GRANTS, grant_body(account, **change))

        assert answer.status_code == 409
        body = answer.json()
        assert (body["code"], body["fields"][0]["field"]) == ("reference_conflict", "reference")
        assert "was used before, for entry 1: a grant of 500 paid credits" in body["error"]
    correction = {"account": account, "corrects": 1, "amount": 1, "reference": "pay_1"}
    assert (await admin_client.post(ADJUSTMENTS, correction)).status_code == 409
    assert len(await environment.load(subjects.ledger(account))) == 1


INVALID_GRANTS: list[tuple[dict[str, Any], set[str]]] = [
    ({"amount": 0}, {"amount"}),
    ({"amount": -5}, {"amount"}),
    ({"amount": 5.5}, {"amount"}),
    ({"amount": "5"}, {"amount"}),
    ({"amount": True}, {"amount"}),
    ({"amount": None}, {"amount"}),
    ({"amount": MAX_CREDITS + 1}, {"amount"}),
    ({"amount": 10**400}, {"amount"}),
    ({"account": "a.b", "reference": "  "}, {"account", "reference"}),
    ({"account": "", "reference": ""}, {"account", "reference"}),
    ({"account": 5, "reference": ["x"]}, {"account", "reference"}),
    ({"reference": " pay_1"}, {"reference"}),
    ({"reference": "x" * 201, "reason": "x" * 501}, {"reference", "reason"}),
    ({"reference": "a\x00b", "reason": "a\nb"}, {"reference", "reason"}),
    ({"kind": "free", "expiresAt": "tomorrow"}, {"kind", "expiresAt"}),
    ({"expiresAt": "2101-01-01"}, {"expiresAt"}),
    ({"expiresAt": "2101-02-30T00:00:00Z"}, {"expiresAt"}),
    ({"expiresAt": "0001-01-01T00:00:00+23:59"}, {"expiresAt"}),
    ({"expiresAt": 1_900_000_000}, {"expiresAt"}),
    ({"expires_at": "2101-01-01T00:00:00Z", "amont": 5}, {"expires_at", "amont"}),
]


async def test_every_invalid_field_is_named_and_nothing_is_granted(
    environment: GatewayEnvironment, admin_client: AccountClient, account: str
) -> None:
    for changes, named in INVALID_GRANTS:
        answer = await admin_client.post(GRANTS, grant_body(account, **changes))

        assert answer.status_code == 400, changes
        assert {bad["field"] for bad in answer.json()["fields"]} == named, changes
        assert all(name in answer.json()["error"] for name in named)
    for content in (b"", b"[]", b"{", b'{"amount": NaN}', b"\xff"):
        headers = admin_client.headers()
        assert (await admin_client.http.post(GRANTS, content=content, headers=headers)).status_code == 400
    large = await admin_client.http.post(GRANTS, content=b"x" * 70_000, headers=admin_client.headers())
    assert large.status_code == 413
    assert await environment.load(subjects.ledger(account)) == []


async def test_an_expiry_in_the_past_is_refused(admin_client: AccountClient, account: str) -> None:
    answer = await admin_client.post(GRANTS, grant_body(account, expiresAt="2020-01-01T00:00:00Z"))

    message = "the expiry must be in the future"
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": message, "code": "invalid", "fields": [{"field": "expiresAt", "message": message}]},
    )


async def test_a_balance_beyond_exact_json_numbers_is_refused(
    environment: GatewayEnvironment, admin_client: AccountClient, account: str
) -> None:
    assert (await admin_client.post(GRANTS, grant_body(account, amount=MAX_CREDITS))).status_code == 201

    answer = await admin_client.post(GRANTS, grant_body(account, amount=1, reference="pay_2"))

    assert (answer.status_code, answer.json()["code"]) == (409, "balance_too_large")


async def test_missing_scope_is_refused(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    owner = await environment.owner(gateway, account, credits=10)
    for method, path, body in (
        ("POST", GRANTS, grant_body(account)),
        ("POST", GRANTS, {"nonsense": 1}),
        ("POST", ADJUSTMENTS, {"account": account, "corrects": 1, "amount": 1, "reference": "r"}),
        ("POST", f"/api/admin/accounts/{account}/close", None),
        ("POST", f"/api/admin/accounts/{account}/reopen", None),
        ("PUT", f"/api/admin/accounts/{account}/limits", {"perDay": 1}),
        ("GET", f"/api/admin/accounts/{account}", None),
        ("GET", "/api/admin/accounts/unknown", None),
    ):
        answer = await owner.http.request(method, path, json=body, headers=owner.headers())

        assert answer.status_code == 403, path
        assert answer.json() == {
            "error": "This key or token does not have the scope admin, which this needs",
            "code": "missing_scope",
            "scope": "admin",
        }
    assert len(await environment.load(subjects.ledger(account))) == 1


async def test_grant_is_visible_immediately(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    owner = await environment.owner(gateway, account)
    for number in range(1, 11):
        await admin_client.post(GRANTS, grant_body(account, amount=1, reference=f"pay_{number}"))

        assert (await owner.get("/api/credits")).json()["available"] == number


async def test_adjustments_in_both_directions(
    environment: GatewayEnvironment, admin_client: AccountClient, account: str
) -> None:
    await admin_client.post(GRANTS, grant_body(account))
    chargeback = {"account": account, "corrects": 1, "amount": 200, "reference": "re_1", "reason": "returned"}

    first, again = [await admin_client.post(ADJUSTMENTS, chargeback) for _ in range(2)]
    too_much = await admin_client.post(ADJUSTMENTS, chargeback | {"reference": "re_2", "amount": 301})
    nothing = await admin_client.post(ADJUSTMENTS, chargeback | {"reference": "re_3", "corrects": 2})

    assert (first.status_code, again.status_code) == (201, 200)
    assert_matches_schema(Adjusted, first.json())
    assert first.json() == again.json()
    assert (first.json()["entry"], first.json()["balances"]["available"]) == (2, 300)
    for answer in (too_much, nothing):
        assert (answer.status_code, answer.json()["code"]) == (409, "not_correctable")
    assert "only 300 of the 500 credits of entry 1 are available" in too_much.json()["error"]
    assert nothing.json()["fields"][0]["field"] == "corrects"


async def test_closed_account_gets_no_debits_and_no_grants(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    owner = await environment.owner(gateway, account, credits=100)
    path = f"/api/admin/accounts/{account}"

    closed = await admin_client.post(f"{path}/close", {"reason": "Contract ended"})
    again = await admin_client.http.post(f"{path}/close", headers=admin_client.headers())
    generation = await owner.generate(Idempotency_Key="order-1")
    repeated = await owner.generate(Idempotency_Key="order-1")
    granted = await admin_client.post(GRANTS, grant_body(account))
    shown = (await owner.get("/api/credits")).json()
    reopened = await admin_client.post(f"{path}/reopen", {})

    for answer in (closed, again, reopened):
        assert answer.status_code == 200
        assert_matches_schema(Changed, answer.json())
    assert (closed.json()["changed"], closed.json()["entry"]) == (True, 2)
    assert (again.json()["changed"], again.json()["entry"]) == (False, None)
    assert (generation.status_code, generation.json()) == (
        403,
        {"error": "The account is closed", "code": "account_closed"},
    )
    assert repeated.content == generation.content
    assert (granted.status_code, granted.json()["code"]) == (409, "account_closed")
    assert (shown["isClosed"], shown["available"]) == (True, 100)
    [record] = (await owner.get("/api/video/history")).json()["items"]
    assert (record["status"], record["error"], record["errorCode"]) == (
        "failed",
        "The account is closed",
        "account_closed",
    )
    assert (await owner.generate()).status_code == 200


async def test_spend_limits_apply_to_the_account_and_to_single_keys(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    owner, other = (
        await environment.owner(gateway, account, credits=1000),
        await environment.owner(gateway, account, credits=0),
    )
    path = f"/api/admin/accounts/{account}/limits"
    key = owner.key.key_id

    assert (await put_json(admin_client, path, {"apiKey": key, "perDay": 120})).status_code == 200
    assert (await put_json(admin_client, path, {"perGeneration": 60})).status_code == 200
    accepted = [await owner.generate() for _ in range(2)]
    a_day = await owner.generate(Idempotency_Key="third")
    large = await other.generate({"prompt": "a cat", "resolution": "1080p"})
    free = await other.generate()

    assert [answer.status_code for answer in accepted] == [200, 200]
    assert (a_day.status_code, large.status_code, free.status_code) == (402, 402, 200)
    assert a_day.json() == {
        "error": "Spend limit reached: 120 credits per day (UTC) for this API key, 100 used, 50 needed",
        "code": "spend_limit",
        "creditsNeeded": 50,
        "remainingCredits": 900,
        "limit": {"scope": "api_key", "per": "day", "limit": 120, "used": 100},
    }
    assert large.json() == {
        "error": "Spend limit reached: 60 credits per generation for the account, 70 needed",
        "code": "spend_limit",
        "creditsNeeded": 70,
        "remainingCredits": 900,
        "limit": {"scope": "account", "per": "generation", "limit": 60, "used": 0},
    }
    [record] = (await owner.get("/api/video/history", status="failed", limit=1)).json()["items"][:1]
    status = await owner.status(record["id"])
    assert status["errorCode"] == record["errorCode"] == "spend_limit"
    assert status["error"] == record["error"]
    assert record["error"].startswith("Spend limit reached: 60 credits per generation")
    mine, others = [(await each.get("/api/credits")).json()["limits"] for each in (owner, other)]
    assert mine == {
        "account": {"perDay": None, "perGeneration": 60},
        "apiKey": {"perDay": 120, "perGeneration": None},
    }
    assert others == mine | {"apiKey": None}
    assert (await put_json(admin_client, path, {"apiKey": key})).json()["changed"] is True
    assert (await put_json(admin_client, path, {"apiKey": key})).json()["changed"] is False
    assert (await owner.generate()).status_code == 200


async def test_invalid_limits_are_named(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    await environment.owner(gateway, account)
    other_account = await environment.owner(gateway, "other_account")
    path = f"/api/admin/accounts/{account}/limits"
    for body, named in (
        ({"perDay": -1, "perGeneration": "5"}, {"perDay", "perGeneration"}),
        ({"perDay": 5.5}, {"perDay"}),
        ({"perday": 5}, {"perday"}),
        ({"apiKey": "", "perDay": 5}, {"apiKey"}),
        ({"apiKey": "key_unknown", "perDay": 5}, {"apiKey"}),
        ({"apiKey": other_account.key.key_id, "perDay": 5}, {"apiKey"}),
    ):
        answer = await put_json(admin_client, path, body)
        assert answer.status_code == 400
        assert {bad["field"] for bad in answer.json()["fields"]} == named
    assert (await put_json(admin_client, "/api/admin/accounts/a.b/limits", {})).status_code == 400
    assert await environment.load(subjects.ledger(account)) == []


async def test_account_lists_its_grants_in_pages(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    owner = await environment.owner(gateway, account, credits=0)
    plan = {"kind": "plan", "expiresAt": "2101-01-01T00:00:00Z", "amount": 30}
    kinds: list[dict[str, Any]] = [{}, plan, {"kind": "promotional"}]
    for number, changes in enumerate(kinds):
        await admin_client.post(GRANTS, grant_body(account, reference=f"pay_{number}", **changes))
    assert (await owner.generate()).status_code == 200
    await admin_client.post(
        ADJUSTMENTS, {"account": account, "corrects": 1, "amount": 400, "reference": "re_1", "reason": "x"}
    )

    shown = (await admin_client.get(f"/api/admin/accounts/{account}")).json()
    page = (await admin_client.get(f"/api/admin/accounts/{account}", limit=2)).json()["grants"]
    rest = (
        await admin_client.get(f"/api/admin/accounts/{account}", limit=2, cursor=page["nextCursor"])
    ).json()["grants"]
    found = (await admin_client.get(f"/api/admin/accounts/{account}", reference="pay_1")).json()["grants"][
        "items"
    ]

    assert_matches_schema(AccountBody, shown)
    assert (shown["available"], shown["held"], shown["entry"], shown["isClosed"]) == (580, 50, 5, False)
    sides = ("entry", "available", "held", "spent", "expired", "takenBack")
    assert [tuple(grant[side] for side in sides) for grant in shown["grants"]["items"]] == [
        (3, 480, 20, 0, 0, 0),
        (2, 0, 30, 0, 0, 0),
        (1, 100, 0, 0, 0, 400),
    ]
    assert page["items"] + rest["items"] == shown["grants"]["items"]
    assert rest["nextCursor"] is None
    assert [(grant["entry"], grant["kind"], grant["expiresAt"]) for grant in found] == [
        (2, "plan", "2101-01-01T00:00:00.000Z")
    ]
    unknown = await admin_client.get("/api/admin/accounts/unknown")
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        "Account unknown has no entry in the ledger yet",
    )


async def test_next_expiry_adds_up_grants_of_the_same_time(
    environment: GatewayEnvironment, gateway: Gateway, admin_client: AccountClient, account: str
) -> None:
    owner = await environment.owner(gateway, account)
    for number, (amount, expiry) in enumerate(
        [(5, "2101-02-01T00:00:00Z"), (7, "2101-01-01T00:00:00Z"), (8, "2101-01-01T00:00:00Z"), (9, None)]
    ):
        await admin_client.post(
            GRANTS, grant_body(account, amount=amount, expiresAt=expiry, reference=f"pay_{number}")
        )

    shown = (await owner.get("/api/credits")).json()

    assert_matches_schema(Credits, shown)
    assert shown["nextExpiry"] == {"at": "2101-01-01T00:00:00.000Z", "amount": 15}


@pytest.mark.asyncio(loop_scope="function")
async def test_timeout_response_says_retry_is_safe(nats: NatsServer, tmp_path: Path, account: str) -> None:
    async with (
        gateway_environment(nats, tmp_path) as environment,
        environment.gateway(answer_timeout=5) as gateway,
    ):
        admin_client = await environment.owner(gateway, "office", scopes=BOTH)

        silent = await admin_client.post(GRANTS, grant_body(account))

        assert silent.status_code == 503
        assert int(silent.headers["retry-after"]) > 0
        assert "Send the same request again" in silent.json()["error"]
        async with environment.credits():
            assert (await admin_client.post(GRANTS, grant_body(account))).status_code == 201
            assert (await admin_client.post(GRANTS, grant_body(account))).status_code == 200
        nats.kill()
        assert (await admin_client.post(GRANTS, grant_body(account, reference="pay_2"))).status_code == 503
        await nats.start()
