"""The bill agrees with what was made and paid for: nothing is unexplained, and what is planted is found."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.environments.saga import Emulator, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_auditor.cli import run
from telecine_contracts.generation import GenerationSubmitted


async def test_the_bill_agrees_with_the_records_until_something_is_planted(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with saga(nats, s3, emulator, tmp_path) as environment:
        await environment.grant("ann", 1000)
        generations = [await environment.request("ann") for _ in range(4)]
        for generation in generations:
            assert await environment.closed("ann", generation) == ["debited", "settled"]
        found = [await environment.video("ann", generation) for generation in generations]
        made = [recorded.event for events in found for recorded in events]
        tasks = {event.provider_task_id for event in made if isinstance(event, GenerationSubmitted)}
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{emulator.root}/admin/bill")).text
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["task_id"] in tasks]
    assert len(rows) == len(generations)

    async def reconciled(rows: list[dict[str, Any]], *options: str) -> tuple[int, str]:
        path = tmp_path / "bill.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        capsys.readouterr()
        arguments = ["reconcile", "--nats", nats.url, "--bill", str(path), *options]
        return await asyncio.to_thread(run, arguments), capsys.readouterr().out

    code, out = await reconciled(rows, "--credit-value", "0.05", "--generations", str(tmp_path / "all.csv"))
    assert (code, out.splitlines()[-1]) == (0, "unexplained: 0"), out
    lines = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert [line["generation"] for line in lines] == generations
    assert {(line["use"], line["credits"], line["revenue"], line["cause"]) for line in lines} == {
        ("delivered", "40", "2", "")
    }

    first, second, third, fourth = rows
    planted = [
        first | {"amount": float(first["amount"]) * 1.1},
        second,
        second,
        fourth,
        fourth | {"task_id": "cgt-of-another-account"},
    ]
    code, out = await reconciled(planted, "--json")
    assert code == 1
    found = json.loads(out)["money"]
    assert found["unexplained"] == 4
    assert {line["cause"]: line["task"] for line in found["differences"]} == {
        "rate": first["task_id"],
        "twice": second["task_id"],
        "missing": third["task_id"],
        "orphan": "cgt-of-another-account",
    }
