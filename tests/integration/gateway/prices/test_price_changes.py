"""Price tables are published while the gateway runs; a quote is binding; what was quoted is what is charged."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.environments.gateway import (
    AccountClient,
    Gateway,
    GatewayEnvironment,
    assert_matches_schema,
    gateway_environment,
)
from tests.support.servers.instances import nats_server

from telecine_auditor.ledger.price_tables import PriceTables
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage
from telecine_cli.errors import CommandError
from telecine_cli.price_catalog import load_prices, publish_prices
from telecine_contracts import encode, subjects
from telecine_contracts.credits import CreditsDebited
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.price_files import built_in_table
from telecine_contracts.pricing import PriceTable, Rate
from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_gateway.pricing.schemas import Pricing, QuoteBody

pytestmark = pytest.mark.server
CAT = {"prompt": "a cat"}


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[GatewayEnvironment]:
    async with (
        nats_server(tmp_path) as nats,
        gateway_environment(nats, tmp_path) as environment,
        environment.credits(),
    ):
        yield environment


@pytest.fixture
async def gateway(environment: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with environment.gateway() as gateway:
        yield gateway


def flat(version: str, credits: int) -> PriceTable:
    """Every clip of the default model at one price."""
    return PriceTable(version=version, rates=(Rate(models=(DEFAULT_MODEL,), per_clip=Decimal(credits)),))


async def publish(environment: GatewayEnvironment, table: PriceTable, at: datetime | None = None) -> None:
    await publish_prices(environment.connection, table, at)


async def until_in_force(gateway: Gateway, version: str) -> dict[str, Any]:
    for _ in range(400):
        shown: dict[str, Any] = (await gateway.http.get("/api/pricing")).json()
        if shown["version"] == version:
            return shown
    raise AssertionError(f"table {version} did not come into force")


async def quoted(owner: AccountClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await owner.post("/api/quotes", body)
    assert answer.status_code == 200, answer.text
    quote: dict[str, Any] = answer.json()
    assert_matches_schema(QuoteBody, quote)
    return quote


async def test_a_quote_is_binding_when_prices_change(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)
    quote = await quoted(owner, CAT)
    assert (quote["credits"], quote["table"]) == (50, built_in_table().version)
    assert quote["inputs"]["duration"] == 5

    await publish(environment, flat("2027-expensive", 90))
    shown = await until_in_force(gateway, "2027-expensive")
    assert_matches_schema(Pricing, shown)

    assert (await owner.generate(CAT)).json()["remainingCredits"] == 210
    assert (await owner.generate({**CAT, "quote": quote["quote"]})).json()["remainingCredits"] == 160


async def test_a_length_that_the_model_chooses_is_quoted_at_the_longest(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)
    body = {**CAT, "model": "doubao-seedance-1-5-pro-251215", "duration": -1, "resolution": "480p"}
    quote = await quoted(owner, body)
    assert (quote["credits"], quote["inputs"]["duration"]) == (30, -1)

    accepted = (await owner.generate({**body, "quote": quote["quote"]})).json()

    assert accepted["remainingCredits"] == 270
    metadata = (await owner.get(f"/api/video/{accepted['id']}")).json()["metadata"]
    assert (metadata["duration"], metadata["durationChosenByModel"]) == (12, True)
    requested = (await environment.load(subjects.video(owner.account, accepted["id"])))[0].event
    assert isinstance(requested, GenerationRequested)
    assert (requested.price.by_seconds or ())[0] == (4, 10)


async def test_references_are_in_the_record(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway, credits=300)
    references = [{"type": "image", "url": "https://media.example.com/1.jpg"}]
    body = {**CAT, "model": "doubao-seedance-2-0-260128", "references": references, "priority": 2}

    accepted = (await owner.generate(body)).json()

    record = (await owner.get(f"/api/video/{accepted['id']}")).json()
    assert record["kind"] == "image-to-video"
    assert record["metadata"]["references"] == [references[0] | {"role": "reference_image"}]
    assert (record["metadata"]["priority"], record["metadata"]["ratio"]) == (2, "adaptive")


async def test_a_quote_for_other_inputs_or_another_account_is_refused(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner, other = [await environment.owner(gateway, name, credits=300) for name in ("ann", "bob")]
    token = (await quoted(owner, CAT))["quote"]

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    assert told(await owner.generate({"prompt": "a dog", "quote": token})) == (422, "quote_mismatch")
    assert told(await owner.generate({**CAT, "duration": 6, "quote": token})) == (422, "quote_mismatch")
    assert told(await other.generate({**CAT, "quote": token})) == (400, "invalid")
    assert told(await owner.generate({**CAT, "quote": token[:-4] + "AAAA"})) == (400, "invalid")
    assert told(await owner.post("/api/quotes", {**CAT, "quote": token})) == (400, "invalid")
    # A gateway that can't read the quote any more still knows the request that was recorded with it.
    first = await owner.generate({**CAT, "quote": token}, Idempotency_Key="order-1")
    database = f"sqlite:///{environment.folder}/later.db"
    secret = "another secret of the tests 8hT3pL5wQz"
    async with environment.gateway(content_secret=secret, database_url=database) as later:
        again = AccountClient(owner.account, owner.key, later.http)
        assert told(await again.generate({**CAT, "quote": token})) == (400, "invalid")
        repeated = await again.generate({**CAT, "quote": token}, Idempotency_Key="order-1")
        assert (repeated.status_code, repeated.json()["id"]) == (200, first.json()["id"])
    assert (await owner.get("/api/credits")).json()["held"] == 50


async def test_what_has_no_price_is_not_sold(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway, credits=300)
    await publish(environment, flat("2027-one-model", 10))
    await until_in_force(gateway, "2027-one-model")
    wanted = {**CAT, "model": "doubao-seedance-2-0-260128"}
    for answer in (await owner.generate(wanted), await owner.post("/api/quotes", wanted)):
        assert answer.status_code == 400
        assert "is not sold" in answer.json()["error"]


async def test_a_table_takes_effect_at_its_time(environment: GatewayEnvironment, gateway: Gateway) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    await publish(environment, flat("2027-later", 10), later)
    for _ in range(400):
        shown = (await gateway.http.get("/api/pricing")).json()
        if shown["next"]:
            break
    assert (shown["version"], shown["next"]["version"]) == (built_in_table().version, "2027-later")
    with pytest.raises(CommandError, match="another table already"):
        await publish(environment, flat("2027-later", 11))
    with pytest.raises(CommandError, match="in the past"):
        await publish(environment, flat("2027-past", 10), later - timedelta(days=2))
    assert await publish_prices(environment.connection, flat("2027-later", 10), later) is None


async def test_while_tables_are_published_each_request_is_charged_what_was_quoted(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=100_000)
    answers = list[tuple[dict[str, Any], httpx.Response]]()

    async def customer() -> None:
        for _ in range(50):
            quote = await quoted(owner, CAT)
            answers.append((quote, await owner.generate({**CAT, "quote": quote["quote"]})))

    async def operator() -> None:
        for number in range(5):
            await publish(environment, flat(f"table-{number}", 10 + number))
            await until_in_force(gateway, f"table-{number}")

    await asyncio.gather(*(customer() for _ in range(20)), operator())

    charged = {
        recorded.event.generation: recorded.event
        for recorded in await environment.load(subjects.ledger(owner.account))
        if isinstance(recorded.event, CreditsDebited)
    }
    assert len(charged) == len(answers) == 1000
    for quote, answer in answers:
        debit = charged[answer.json()["id"]]
        assert (debit.amount, debit.price.table) == (quote["credits"], quote["table"])
    assert len(Counter(debit.price.table for debit in charged.values())) > 1
    tables = PriceTables(await load_prices(environment.connection))
    assert await breaches(environment, owner.account, tables) == []
    # The check can fail: by tables that lack one, the auditor finds every debit that names it.
    without = PriceTables(type(tables.catalog)(tables.catalog.published[:1]))
    strange = [debit for debit in charged.values() if debit.price.table != built_in_table().version]
    assert len(await breaches(environment, owner.account, without)) == len(strange)


async def breaches(environment: GatewayEnvironment, account: str, tables: PriceTables) -> list[str]:
    """What an auditor finds wrong in the account's ledger."""
    found = list[str]()
    replay = LedgerReplay(lambda breach: found.append(str(breach)))
    replay.prices = tables
    for recorded in await environment.load(subjects.ledger(account)):
        envelope = recorded.envelope
        lines = "".join(f"{name}: {value}\r\n" for name, value in envelope.to_headers().items())
        stored_at = int(envelope.time.timestamp() * 1e9)
        subject = subjects.of_event(recorded.event)
        replay.take(
            StoredMessage(recorded.sequence, stored_at, subject, lines.encode(), encode(recorded.event))
        )
    return found
