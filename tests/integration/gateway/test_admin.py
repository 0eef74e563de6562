"""Credits by HTTP, as a payment provider's webhook and a back office use it: real streams, real credits service."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from tests.support.environments.gateway import Gateway, Owner, World, world
from tests.support.servers.instances import NatsServer

from telecine_contracts import MAX_CREDITS, subjects
from telecine_contracts.credits import CreditsGranted
from telecine_gateway.access.api_keys import Scope
from telecine_gateway.admin.schemas import AccountBody, Adjusted, Changed, Granted
from telecine_gateway.credits.schemas import Credits

GRANTS = "/api/admin/grants"
ADJUSTMENTS = "/api/admin/adjustments"
BOTH = (Scope.ADMIN.value, Scope.GENERATE.value)


@pytest.fixture
async def parts(nats: NatsServer, tmp_path: Path) -> AsyncIterator[World]:
    async with world(nats, tmp_path) as parts, parts.credits():
        yield parts


@pytest.fixture
async def gateway(parts: World) -> AsyncIterator[Gateway]:
    async with parts.gateway() as gateway:
        yield gateway


@pytest.fixture
async def office(parts: World, gateway: Gateway) -> Owner:
    """A key with the scope admin, of an account that has nothing to do with those it grants to."""
    return await parts.owner(gateway, "office", scopes=("admin",))


def payment(**changes: Any) -> dict[str, Any]:
    return {"account": "acme", "amount": 500, "reference": "pay_1"} | changes


def holds_to(model: type[Any], body: Mapping[str, Any]) -> None:
    """The documented shape, nothing more."""
    fields = TypeAdapter(model).validate_python(body)
    assert set(body) <= set(type(fields).model_fields)


async def put(owner: Owner, path: str, body: Any) -> httpx.Response:
    return await owner.http.put(path, json=body, headers=owner.headers())


async def test_a_grant_is_made_once_and_answered_the_same(parts: World, office: Owner) -> None:
    first = await office.post(GRANTS, payment(reason="Starter pack", expiresAt="2101-01-31T12:00:00+02:00"))
    again = await office.post(GRANTS, payment(reason="other words", expiresAt="2101-01-31T10:00:00Z"))

    assert (first.status_code, again.status_code) == (201, 200)
    holds_to(Granted, first.json())
    assert first.json() == {
        "account": "acme",
        "entry": 1,
        "amount": 500,
        "reference": "pay_1",
        "kind": "paid",
        "expiresAt": "2101-01-31T10:00:00.000Z",
        "balances": {"available": 500, "held": 0},
    }
    assert again.json() == first.json()
    [entry] = await parts.load(subjects.ledger("acme"))
    assert isinstance(entry.event, CreditsGranted)
    assert (entry.event.reason, entry.envelope.source) == ("Starter pack", "telecine/credits")


async def test_twenty_posts_at_two_gateways_grant_once(parts: World, gateway: Gateway, office: Owner) -> None:
    async with parts.gateway() as second:
        elsewhere = Owner(office.account, office.key, second.http)
        twins = [*(office for _ in range(10)), *(elsewhere for _ in range(10))]

        answers = await asyncio.gather(*(twin.post(GRANTS, payment()) for twin in twins))

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(await parts.load(subjects.ledger("acme"))) == 1


async def test_a_reference_that_was_used_for_something_else(parts: World, office: Owner) -> None:
    await office.post(GRANTS, payment())
    for change in ({"amount": 501}, {"kind": "plan"}, {"expiresAt": "2101-01-01T00:00:00Z"}):
        answer = await office.post(GRANTS, payment(**change))

        assert answer.status_code == 409
        body = answer.json()
        assert (body["code"], body["fields"][0]["field"]) == ("reference_conflict", "reference")
        assert "was used before, for entry 1: a grant of 500 paid credits" in body["error"]
    correction = {"account": "acme", "corrects": 1, "amount": 1, "reference": "pay_1"}
    assert (await office.post(ADJUSTMENTS, correction)).status_code == 409
    assert len(await parts.load(subjects.ledger("acme"))) == 1


BAD_GRANTS: list[tuple[dict[str, Any], set[str]]] = [
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
    ({"expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt"}),
    ({"expires_at": "2101-01-01T00:00:00Z", "amont": 5}, {"expires_at", "amont"}),
]


async def test_every_bad_field_is_named_and_nothing_is_granted(parts: World, office: Owner) -> None:
    for changes, named in BAD_GRANTS:
        answer = await office.post(GRANTS, payment(**changes))

        assert answer.status_code == 400, changes
        assert {bad["field"] for bad in answer.json()["fields"]} == named, changes
        assert all(name in answer.json()["error"] for name in named)
    for content in (b"", b"[]", b"{", b'{"amount": NaN}', b"\xff"):
        headers = office.headers()
        assert (await office.http.post(GRANTS, content=content, headers=headers)).status_code == 400
    large = await office.http.post(GRANTS, content=b"x" * 70_000, headers=office.headers())
    assert large.status_code == 413
    assert await parts.load(subjects.ledger("acme")) == []


async def test_a_balance_that_no_json_reader_keeps_exact_is_refused(parts: World, office: Owner) -> None:
    assert (await office.post(GRANTS, payment(amount=MAX_CREDITS))).status_code == 201

    answer = await office.post(GRANTS, payment(amount=1, reference="pay_2"))

    assert (answer.status_code, answer.json()["code"]) == (409, "balance_too_large")


async def test_a_key_without_the_scope_changes_nothing(parts: World, gateway: Gateway) -> None:
    owner = await parts.owner(gateway, credits=10)
    for method, path, body in (
        ("POST", GRANTS, payment()),
        ("POST", GRANTS, {"nonsense": 1}),
        ("POST", ADJUSTMENTS, {"account": "acme", "corrects": 1, "amount": 1, "reference": "r"}),
        ("POST", "/api/admin/accounts/acme/close", None),
        ("POST", "/api/admin/accounts/acme/reopen", None),
        ("PUT", "/api/admin/accounts/acme/limits", {"perDay": 1}),
        ("GET", "/api/admin/accounts/acme", None),
        ("GET", "/api/admin/accounts/unknown", None),
    ):
        answer = await owner.http.request(method, path, json=body, headers=owner.headers())

        assert answer.status_code == 403, path
        assert answer.json() == {
            "error": "This key does not have the scope admin, which this needs",
            "scope": "admin",
        }
    assert len(await parts.load(subjects.ledger("acme"))) == 1


async def test_what_is_granted_is_seen_at_once(parts: World, gateway: Gateway, office: Owner) -> None:
    owner = await parts.owner(gateway)
    for number in range(1, 11):
        await office.post(GRANTS, payment(amount=1, reference=f"pay_{number}"))

        assert (await owner.get("/api/credits")).json()["available"] == number


async def test_corrections_take_back_and_give_back(parts: World, office: Owner) -> None:
    await office.post(GRANTS, payment())
    chargeback = {"account": "acme", "corrects": 1, "amount": 200, "reference": "re_1", "reason": "returned"}

    first, again = [await office.post(ADJUSTMENTS, chargeback) for _ in range(2)]
    too_much = await office.post(ADJUSTMENTS, chargeback | {"reference": "re_2", "amount": 301})
    nothing = await office.post(ADJUSTMENTS, chargeback | {"reference": "re_3", "corrects": 2})

    assert (first.status_code, again.status_code) == (201, 200)
    holds_to(Adjusted, first.json())
    assert first.json() == again.json()
    assert (first.json()["entry"], first.json()["balances"]["available"]) == (2, 300)
    for answer in (too_much, nothing):
        assert (answer.status_code, answer.json()["code"]) == (409, "not_correctable")
    assert "only 300 of the 500 credits of entry 1 are available" in too_much.json()["error"]
    assert nothing.json()["fields"][0]["field"] == "corrects"


async def test_a_closed_account_is_charged_and_granted_nothing(
    parts: World, gateway: Gateway, office: Owner
) -> None:
    owner = await parts.owner(gateway, credits=100)
    path = "/api/admin/accounts/acme"

    closed = await office.post(f"{path}/close", {"reason": "Contract ended"})
    again = await office.http.post(f"{path}/close", headers=office.headers())
    generation = await owner.generate(Idempotency_Key="order-1")
    repeated = await owner.generate(Idempotency_Key="order-1")
    granted = await office.post(GRANTS, payment())
    shown = (await owner.get("/api/credits")).json()
    reopened = await office.post(f"{path}/reopen", {})

    for answer in (closed, again, reopened):
        assert answer.status_code == 200
        holds_to(Changed, answer.json())
    assert (closed.json()["changed"], closed.json()["entry"]) == (True, 2)
    assert (again.json()["changed"], again.json()["entry"]) == (False, None)
    assert (generation.status_code, generation.json()) == (403, {"error": "The account is closed"})
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


async def test_spend_limits_bound_the_account_and_single_keys(
    parts: World, gateway: Gateway, office: Owner
) -> None:
    owner, other = await parts.owner(gateway, credits=1000), await parts.owner(gateway, credits=0)
    path = "/api/admin/accounts/acme/limits"
    key = owner.key.key_id

    assert (await put(office, path, {"apiKey": key, "perDay": 120})).status_code == 200
    assert (await put(office, path, {"perGeneration": 60})).status_code == 200
    accepted = [await owner.generate() for _ in range(2)]
    a_day = await owner.generate(Idempotency_Key="third")
    large = await other.generate({"prompt": "a cat", "resolution": "1080p"})
    free = await other.generate()

    assert [answer.status_code for answer in accepted] == [200, 200]
    assert (a_day.status_code, large.status_code, free.status_code) == (402, 402, 200)
    assert a_day.json() == {
        "error": "Spend limit reached: 120 credits a day for this API key, 100 used today",
        "creditsNeeded": 50,
        "remainingCredits": 900,
        "limit": {"scope": "api_key", "per": "day", "limit": 120, "used": 100},
    }
    assert large.json() == {
        "error": "Spend limit reached: 60 credits a generation for the account, this one costs 70",
        "creditsNeeded": 70,
        "remainingCredits": 900,
        "limit": {"scope": "account", "per": "generation", "limit": 60, "used": 0},
    }
    [record] = (await owner.get("/api/video/history", status="failed", limit=1)).json()["items"][:1]
    status = await owner.status(record["id"])
    assert status["errorCode"] == record["errorCode"] == "spend_limit"
    assert status["error"] == record["error"]
    assert record["error"].startswith("Spend limit reached: 60 credits a generation")
    mine, others = [(await each.get("/api/credits")).json()["limits"] for each in (owner, other)]
    assert mine == {
        "account": {"perDay": None, "perGeneration": 60},
        "apiKey": {"perDay": 120, "perGeneration": None},
    }
    assert others == mine | {"apiKey": None}
    assert (await put(office, path, {"apiKey": key})).json()["changed"] is True
    assert (await put(office, path, {"apiKey": key})).json()["changed"] is False
    assert (await owner.generate()).status_code == 200


async def test_bad_limits_are_named(parts: World, gateway: Gateway, office: Owner) -> None:
    await parts.owner(gateway)
    stranger = await parts.owner(gateway, "stranger")
    path = "/api/admin/accounts/acme/limits"
    for body, named in (
        ({"perDay": -1, "perGeneration": "5"}, {"perDay", "perGeneration"}),
        ({"perDay": 5.5}, {"perDay"}),
        ({"perday": 5}, {"perday"}),
        ({"apiKey": "", "perDay": 5}, {"apiKey"}),
        ({"apiKey": "key_unknown", "perDay": 5}, {"apiKey"}),
        ({"apiKey": stranger.key.key_id, "perDay": 5}, {"apiKey"}),
    ):
        answer = await put(office, path, body)
        assert answer.status_code == 400
        assert {bad["field"] for bad in answer.json()["fields"]} == named
    assert (await put(office, "/api/admin/accounts/a.b/limits", {})).status_code == 400
    assert await parts.load(subjects.ledger("acme")) == []


async def test_an_account_with_its_grants(parts: World, gateway: Gateway, office: Owner) -> None:
    owner = await parts.owner(gateway, credits=0)
    plan = {"kind": "plan", "expiresAt": "2101-01-01T00:00:00Z", "amount": 30}
    kinds: list[dict[str, Any]] = [{}, plan, {"kind": "promotional"}]
    for number, changes in enumerate(kinds):
        await office.post(GRANTS, payment(reference=f"pay_{number}", **changes))
    assert (await owner.generate()).status_code == 200
    await office.post(
        ADJUSTMENTS, {"account": "acme", "corrects": 1, "amount": 400, "reference": "re_1", "reason": "x"}
    )

    shown = (await office.get("/api/admin/accounts/acme")).json()
    page = (await office.get("/api/admin/accounts/acme", limit=2)).json()["grants"]
    rest = (await office.get("/api/admin/accounts/acme", limit=2, cursor=page["nextCursor"])).json()["grants"]
    found = (await office.get("/api/admin/accounts/acme", reference="pay_1")).json()["grants"]["items"]

    holds_to(AccountBody, shown)
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
    unknown = await office.get("/api/admin/accounts/nobody")
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        "Account nobody has no entry in the ledger yet",
    )


async def test_what_expires_next(parts: World, gateway: Gateway, office: Owner) -> None:
    owner = await parts.owner(gateway)
    for number, (amount, expiry) in enumerate(
        [(5, "2101-02-01T00:00:00Z"), (7, "2101-01-01T00:00:00Z"), (8, "2101-01-01T00:00:00Z"), (9, None)]
    ):
        await office.post(GRANTS, payment(amount=amount, expiresAt=expiry, reference=f"pay_{number}"))

    shown = (await owner.get("/api/credits")).json()

    holds_to(Credits, shown)
    assert shown["nextExpiry"] == {"at": "2101-01-01T00:00:00.000Z", "amount": 15}


@pytest.mark.parts("restart")
async def test_without_an_answer_it_is_said_that_it_is_safe_to_repeat(
    nats: NatsServer, tmp_path: Path
) -> None:
    async with world(nats, tmp_path) as parts, parts.gateway(answer_timeout=5) as gateway:
        office = await parts.owner(gateway, "office", scopes=BOTH)

        silent = await office.post(GRANTS, payment())

        assert silent.status_code == 503
        assert int(silent.headers["retry-after"]) > 0
        assert "Send the same request again" in silent.json()["error"]
        async with parts.credits():
            assert (await office.post(GRANTS, payment())).status_code == 201
            assert (await office.post(GRANTS, payment())).status_code == 200
        nats.kill()
        assert (await office.post(GRANTS, payment(reference="pay_2"))).status_code == 503
        await nats.start()
