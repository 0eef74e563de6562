"""The API, the command line and the auditor write the same CSV for the same period of the same ledger."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.environments.gateway import AccountClient, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import NatsServer

from telecine_auditor.cli import run as telecine_audit
from telecine_contracts.commands import AdjustCredits, CloseAccount, GrantCredits, SetSpendLimits
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import seed_price
from telecine_credits.rules.commands import Debit, Expire, Refund, Settle, TimedCommand

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
FORMULA = '=HYPERLINK("http://evil.example"); +1'


def november(account: str) -> Sequence[TimedCommand]:
    """Entries of every kind around the ends of November, two of them by clocks that are behind the one before."""
    price = seed_price("720p", 5)
    who: dict[str, Any] = {"account": account}
    at = [DECEMBER - timedelta(days=31 - number) for number in range(31)]
    return (
        TimedCommand(
            GrantCredits(**who, kind=GrantKind.PAID, amount=150, reference="october"),
            at[0] - timedelta(days=1),
        ),
        TimedCommand(
            GrantCredits(
                **who, kind=GrantKind.PLAN, amount=50, reference=FORMULA, reason="é", expires_at=at[20]
            ),
            at[1],
        ),
        TimedCommand(Debit(**who, generation="g-1", price=price, api_key="key_1"), at[2]),
        TimedCommand(Debit(**who, generation="g-2", price=price), at[3]),
        TimedCommand(Debit(**who, generation="g-3", price=price), at[3] - timedelta(hours=1)),
        TimedCommand(Debit(**who, generation="g-denied", price=seed_price("1080p", 10)), at[4]),
        TimedCommand(Settle(**who, generation="g-1"), at[5]),
        TimedCommand(Refund(**who, generation="g-2", reason="deadline"), at[6]),
        TimedCommand(
            AdjustCredits(**who, corrects=7, amount=20, reference="ticket-1", reason="black"), at[7]
        ),
        TimedCommand(Expire(**who, grant=2), at[21]),
        TimedCommand(SetSpendLimits(**who, per_day=500), DECEMBER),
        TimedCommand(CloseAccount(**who, reason="done"), DECEMBER - TICK),
    )


async def output(*arguments: str) -> bytes:
    """Standard output of a Python program."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await program.communicate()
    assert program.returncode == 0, error.decode()
    return out


async def follow(owner: AccountClient) -> None:
    """Until the gateway's tables have the whole ledger."""
    for _ in range(400):
        if (await owner.get("/api/credits")).json()["isClosed"]:
            return
    raise AssertionError("the tables do not follow")


PERIODS: list[tuple[dict[str, str], list[str]]] = [
    ({"from": "2026-11-01", "to": "2026-12-01"}, ["--from", "2026-11-01", "--to", "2026-11-30"]),
    ({"to": "2026-11-22T00:00:00.001Z"}, ["--to", "2026-11-22T00:00:00.001Z"]),
]


@pytest.fixture
async def environment(nats: NatsServer, tmp_path: Path) -> Any:
    async with gateway_environment(nats, tmp_path) as environment:
        # An account with a clock far ahead must not move what counts as November in the other.
        ahead = TimedCommand(
            GrantCredits(account="ahead", kind=GrantKind.PAID, amount=1, reference="r"),
            DECEMBER + timedelta(days=9),
        )
        await environment.entries(ahead, *november("acme"))
        yield environment


async def test_all_three_write_the_same_bytes(
    environment: GatewayEnvironment, nats: NatsServer, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    async with environment.gateway() as gateway:
        owner = await environment.owner(gateway, "acme")
        await follow(owner)
        api = [
            (await owner.get("/api/credits/statement", format="csv", **parameters)).content.decode()
            for parameters, _ in PERIODS
        ]

    commands = [("statement", "acme", "--csv", *options) for _, options in PERIODS]
    command_line = await asyncio.gather(
        *(output("telecine_cli", "credits", *command, "--nats-url", nats.url) for command in commands)
    )
    auditor = []
    for command in commands:
        capsysbinary.readouterr()
        assert await asyncio.to_thread(telecine_audit, [*command, "--nats", nats.url]) == 0
        auditor.append(capsysbinary.readouterr().out.decode())

    assert api == auditor
    assert api == [text.decode() for text in command_line]
    assert [text.count("\r\n") for text in api] == [11, 12]
