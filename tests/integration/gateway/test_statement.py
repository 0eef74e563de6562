"""Statements over HTTP: JSON pages, CSV and HTML, periods, access to other accounts, hostile texts."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
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
from tests.support.servers.instances import nats_server

from telecine_contracts.commands import AdjustCredits, CloseAccount, GrantCredits, SetSpendLimits
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import seed_price
from telecine_credits.rules.commands import Debit, Expire, Refund, Settle, TimedCommand
from telecine_gateway.credits.schemas import StatementPage
from telecine_gateway.read_model import statement_queries

PATH = "/api/credits/statement"
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
HOSTILE = '=HYPERLINK("http://evil.example")</td><script>alert(1)</script>'


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    folder = tmp_path_factory.mktemp("statements")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as environment:
        yield environment


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(environment: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with environment.gateway() as gateway:
        yield gateway


@pytest.fixture
def account() -> str:
    """An account of the test's own."""
    return f"account-{uuid4().hex}"


def at(day: float) -> datetime:
    return NOVEMBER + timedelta(days=day - 1)


def month_of_commands(account: str) -> Sequence[TimedCommand]:
    """12 entries: one before November, the last one at the first moment of December."""
    price = seed_price("720p", 5)
    who: dict[str, Any] = {"account": account}
    paid: dict[str, Any] = who | {"kind": GrantKind.PAID}
    return (
        TimedCommand(GrantCredits(**paid, amount=100, reference="october"), at(0)),
        TimedCommand(
            GrantCredits.model_construct(
                **paid, amount=50, reference=HOSTILE, reason=HOSTILE, expires_at=at(20)
            ),
            at(1),
        ),
        TimedCommand(Debit(**who, generation=f"g-1-{account}", price=price, api_key="key_1"), at(2)),
        TimedCommand(Debit(**who, generation=f"g-2-{account}", price=price), at(3)),
        TimedCommand(Debit(**who, generation=f"g-3-{account}", price=price), at(3)),
        TimedCommand(Debit(**who, generation=f"g-denied-{account}", price=price), at(3)),
        TimedCommand(Settle(**who, generation=f"g-1-{account}"), at(4)),
        TimedCommand(Refund(**who, generation=f"g-2-{account}", reason="deadline"), at(5)),
        TimedCommand(
            AdjustCredits(**who, corrects=7, amount=20, reference="ticket-1", reason="black"), at(6)
        ),
        TimedCommand(Expire(**who, grant=2), at(21)),
        TimedCommand(SetSpendLimits(**who, per_day=500), at(22)),
        TimedCommand(CloseAccount(**who, reason="done"), at(31)),
    )


async def statement(owner: AccountClient, **params: Any) -> dict[str, Any]:
    answer = await owner.get(PATH, **params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert_matches_schema(StatementPage, body)
    return body


def balances(mark: dict[str, int]) -> tuple[int, int]:
    return mark["available"], mark["held"]


async def account_with_month(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> AccountClient:
    """An account with the month in its ledger, and the tables behind it."""
    await environment.entries(*month_of_commands(account))
    owner = await environment.owner(gateway, account)
    for _ in range(400):
        if (await owner.get("/api/credits")).json()["isClosed"]:
            return owner
    raise AssertionError("the tables did not catch up")


async def test_periods_share_their_balances(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)

    whole = await statement(owner)
    november = await statement(owner, **{"from": "2026-11-01", "to": "2026-12-01"})
    later = await statement(owner, **{"from": "2026-12-01T00:00:00Z"})
    before = await statement(owner, to="2026-11-01")

    assert balances(november["opening"]) == balances(before["closing"]) == (100, 0)
    assert balances(november["closing"]) == balances(later["opening"])
    assert balances(later["closing"]) == balances(whole["closing"])
    assert [item["type"] for item in november["items"]] == [
        "granted",
        "debited",
        "debited",
        "debited",
        "settled",
        "refunded",
        "adjusted",
        "expired",
        "limits_set",
    ]
    assert [item["type"] for item in later["items"]] == ["closed"]
    assert november["period"] == {"from": "2026-11-01T00:00:00.000Z", "to": "2026-12-01T00:00:00.000Z"}
    by_type = {item["type"]: item for item in november["items"]}
    assert (by_type["adjusted"]["corrects"], by_type["expired"]["grant"]) == (7, 2)
    assert (by_type["granted"]["reference"], by_type["granted"]["reason"]) == (HOSTILE, HOSTILE)
    assert by_type["limits_set"]["perDay"] == 500


async def test_changes_add_up_from_page_to_page(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    pages: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        pages.append(await statement(owner, limit=4, **after))
        if pages[-1]["nextCursor"] is None:
            break
        after = {"cursor": pages[-1]["nextCursor"]}

    assert [len(page["items"]) for page in pages] == [4, 4, 3]
    for page in pages:
        opening, closing = balances(page["page"]["opening"]), balances(page["page"]["closing"])
        moved = [sum(item[side] for item in page["items"]) for side in ("amount", "heldAmount")]
        assert [opening[0] + moved[0], opening[1] + moved[1]] == list(closing)
    for one, other in pairwise(pages):
        assert one["page"]["closing"] == other["page"]["opening"]
        assert one["opening"] == other["opening"]
    assert pages[0]["page"]["opening"] == pages[0]["opening"]
    assert pages[-1]["page"]["closing"] == pages[-1]["closing"]


async def test_csv_has_every_entry_of_all_batches(
    environment: GatewayEnvironment, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    monkeypatch.setattr(statement_queries, "BATCH_SIZE", 3)

    answer = await owner.get(PATH, format="csv", **{"from": "2026-11-01", "to": "2026-12-01"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert (
        f'filename="statement_{account}_2026-11-01_2026-12-01.csv"' in answer.headers["content-disposition"]
    )
    opening, *rows, closing = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (opening["change"], opening["available"], closing["change"]) == ("opening", "100", "closing")
    assert [row["entry"] for row in rows] == ["2", "3", "4", "5", "7", "8", "9", "10", "11"]
    assert int(opening["available"]) + sum(int(row["available_change"]) for row in rows) == int(
        closing["available"]
    )
    assert rows[0]["reference"] == f"'{HOSTILE}"
    assert (rows[1]["generation"], rows[6]["concerns"], rows[7]["concerns"]) == (f"g-1-{account}", "7", "2")


async def test_html_has_no_script(
    environment: GatewayEnvironment, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    monkeypatch.setattr(statement_queries, "BATCH_SIZE", 3)

    answer = await owner.http.get(PATH, headers=owner.headers(accept="text/html,*/*;q=0.8"))

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert answer.text.count("<tr") == 1 + 2 + 11
    assert answer.text.endswith("</html>")
    assert f"Statement of {account}, up to" in answer.text


async def test_failed_read_aborts_the_response(
    environment: GatewayEnvironment, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    reading, parts_read = statement_queries._lines, count()

    def once(*arguments: Any) -> Any:
        if next(parts_read):
            raise OSError("the database is gone")
        return reading(*arguments)

    monkeypatch.setattr(statement_queries, "BATCH_SIZE", 3)
    monkeypatch.setattr(statement_queries, "_lines", once)
    read: list[bytes] = []

    with pytest.raises(httpx.RemoteProtocolError):
        async with owner.http.stream(
            "GET", PATH, params={"format": "csv"}, headers=owner.headers()
        ) as answer:
            async for part in answer.aiter_bytes():
                read.append(part)

    assert b"opening" in b"".join(read)
    assert b"closing" not in b"".join(read)


async def test_invalid_parameters_are_named(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    cursor = (await statement(owner, limit=4))["nextCursor"]
    for params, named in (
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"from": "2026-12-01", "to": "2026-12-01"}, "to"),
        ({"from": "2026-12-02", "to": "2026-12-01"}, "to"),
        ({"to": "0001-01-01T00:00:00+23:59"}, "to"),
        ({"to": "0001-01-01", "format": "html"}, "to"),
        ({"to": "9999-12-31T23:59:59-05:00"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"cursor": "x\x00"}, "cursor"),
        ({"cursor": cursor, "to": "2026-11-01"}, "cursor"),
        ({"format": "pdf"}, "format"),
        ({"format": "csv", "limit": "5"}, "limit"),
        ({"format": "html", "cursor": cursor}, "cursor"),
    ):
        answer = await owner.get(PATH, **params)
        assert answer.status_code == 400, params
        assert [bad["field"] for bad in answer.json()["fields"]] == [named]


async def test_statement_of_another_account_needs_the_admin_scope(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    owner = await account_with_month(environment, gateway, account)
    other = await environment.owner(gateway, "other")
    office = await environment.owner(gateway, "office", scopes=("admin",))

    own = await statement(owner, account=account)
    refused = [
        await other.get(PATH, account=name, format=form) for name in (account, "unknown") for form in FORMS
    ]
    seen = await statement(office, account=account)
    unknown = await office.get(PATH, account="unknown")
    bad = await office.get(PATH, account="a.b")

    assert own == seen
    assert {answer.status_code for answer in refused} == {403}
    assert {answer.json()["scope"] for answer in refused} == {"admin"}
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        "Account unknown has no entry in the ledger yet",
    )
    assert (bad.status_code, bad.json()["fields"][0]["field"]) == (400, "account")
    empty = await statement(other)
    assert (empty["items"], balances(empty["closing"])) == ([], (0, 0))


async def test_nul_characters_are_replaced(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    grant = TimedCommand(
        GrantCredits.model_construct(
            account=account, kind=GrantKind.PAID, amount=5, reference="a\0b", reason="c\0d"
        ),
        at(1),
    )
    await environment.entries(grant)
    owner = await environment.owner(gateway, account, credits=0)
    for _ in range(400):
        items = (await statement(owner))["items"]
        if items:
            break

    [item] = items
    assert (item["reference"], item["reason"]) == (
        "a\N{REPLACEMENT CHARACTER}b",
        "c\N{REPLACEMENT CHARACTER}d",
    )


FORMS = ("json", "csv", "html")


async def test_balances_of_old_grants_are_left_out(
    environment: GatewayEnvironment, gateway: Gateway, account: str
) -> None:
    """Entries from before 0.2 do not name the grants that they use."""
    granted, debited = month_of_commands(account)[1:3]
    store, environment.store = environment.store, OldFormatStore(environment.store)  # type: ignore[assignment]
    await environment.entries(granted, debited)
    environment.store = store
    office = await environment.owner(gateway, "office", scopes=("admin",))
    for _ in range(400):
        answer = await office.get(f"/api/admin/accounts/{account}")
        if answer.status_code == 200 and answer.json()["entry"] == 2:
            break

    shown = answer.json()
    [grant] = shown["grants"]["items"]
    assert (shown["available"], shown["held"]) == (0, 50)
    assert (grant["amount"], grant["expiresAt"]) == (50, "2026-11-20T00:00:00.000Z")
    assert not {"available", "held", "spent", "usableUntil"} & set(grant)


class OldFormatStore:
    """A store whose entries name no grants."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def append(self, event: Any, *arguments: Any, **named: Any) -> Any:
        legs = tuple(leg.model_copy(update={"grant": None}) for leg in event.postings)
        before = event.model_copy(update={"postings": legs, "decided_at": None})
        return await self._store.append(before, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
