"""Granting credits over request and reply: once per reference, and every mistake is answered."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client
from tests.support.parts import NatsServer

from telecine_chassis.connection import connect
from telecine_cli.provisioning import provision
from telecine_contracts.commands import GRANT_CREDITS, GrantAnswer, GrantCredits
from telecine_contracts.credits import Balances
from telecine_credits.app import build
from telecine_credits.settings import Settings


@pytest.fixture
async def client(nats: NatsServer) -> AsyncIterator[Client]:
    connection = await connect(nats.url, "tests")
    await provision(connection)
    service = build(Settings(nats_url=nats.url, stop_grace=1))
    await service.start()
    yield connection
    await service.stop()
    await connection.close()


async def ask(client: Client, body: bytes, headers: dict[str, str] | None = None) -> GrantAnswer:
    answer = await client.request(GRANT_CREDITS, body, timeout=5, headers=headers)
    return GrantAnswer.model_validate_json(answer.data)


def request(**changes: Any) -> bytes:
    plain: dict[str, Any] = {"account": "ann", "amount": 50, "reference": "payment-1"}
    return GrantCredits(**(plain | changes)).model_dump_json().encode()


async def test_a_reference_grants_once(client: Client) -> None:
    balances = Balances(available=50, held=0)
    assert await ask(client, request()) == GrantAnswer(granted=True, balances=balances)
    assert await ask(client, request()) == GrantAnswer(granted=False, balances=balances)
    more = Balances(available=60, held=0)
    second = request(amount=10, reference="payment-2")
    assert await ask(client, second) == GrantAnswer(granted=True, balances=more)


async def test_another_amount_for_a_reference_is_refused(client: Client) -> None:
    await ask(client, request())
    answer = await ask(client, request(amount=51))
    assert answer == GrantAnswer(error="reference 'payment-1' was granted before, with 50 credits")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", ["body"]),
        (b"\xff", ["body"]),
        (b"", ["body"]),
        (b"[]", ["body"]),
        (b"{}", ["account", "amount", "reference"]),
        (b'{"account": "a.b", "amount": 0, "reference": "r"}', ["account", "amount"]),
        (b'{"account": "a", "amount": 1.5, "reference": "r", "more": 1}', ["amount", "more"]),
    ],
)
@pytest.mark.parametrize("headers", [None, {"content-type": "application/json"}], ids=["plain", "json"])
async def test_every_mistake_is_answered_by_name(
    client: Client, body: bytes, named: list[str], headers: dict[str, str] | None
) -> None:
    answer = await ask(client, body, headers)
    assert answer.balances is None
    assert answer.error is not None
    for name in named:
        assert f"{name}: " in answer.error
