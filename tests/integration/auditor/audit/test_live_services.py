"""`telecine-audit verify` with running services: their entries have no breach, entries of other writers are found."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.audit.large_ledger import event_head, event_id
from tests.support.environments.saga import Emulator, Saga, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.credits import CreditsSettled
from telecine_contracts.generation import VideoReady

PROMPTS = (
    "a lighthouse",
    "a harbour",
    "a storm [emulator:fail]",
    "a shore [emulator:refuse]",
    "a cliff [emulator:moderation_output]",
)


@pytest.fixture
async def environment(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    async with saga(nats, s3, emulator, tmp_path) as running:
        await running.grant("ann", 1000)
        await running.grant("bob", 50)
        yield running


async def verified(environment: Saga, *options: str) -> tuple[int, Any]:
    """The exit code and the JSON document."""
    command = (
        sys.executable,
        "-m",
        "telecine_auditor",
        "verify",
        "--nats",
        environment.nats.url,
        "--json",
        *options,
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    said, complained = await process.communicate()
    assert complained == b""
    return process.returncode or 0, json.loads(said)


async def test_a_length_that_the_model_chose_is_settled_at_its_price(environment: Saga) -> None:
    chosen: dict[str, Any] = {"model": "doubao-seedance-1-5-pro-251215", "duration": 12}
    generation = await environment.request("bob", duration_chosen_by_model=True, **chosen)
    assert await environment.closed("bob", generation) == ["denied"], (
        "the longest would cost 60 of 50 credits"
    )
    generation = await environment.request("ann", duration_chosen_by_model=True, **chosen)
    assert await environment.closed("ann", generation) == ["debited", "settled"]

    events = await environment.video("ann", generation)
    (ready,) = (each.event for each in events if isinstance(each.event, VideoReady))
    settled = (await environment.ledger("ann"))[-1].event
    assert isinstance(settled, CreditsSettled)
    assert (settled.seconds, settled.amount, settled.released) == (ready.duration, 40, 20)
    assert await environment.balances("ann") == {"available": 960, "held": 0}
    code, report = await verified(environment)
    assert (code, report["breaches"]) == (0, [])


async def test_the_work_of_the_services_has_no_breach(environment: Saga) -> None:
    generations = {prompt: await environment.request("ann", prompt) for prompt in PROMPTS}
    paid = await environment.request("bob")
    denied = await environment.request("bob")
    while_they_run = [await verified(environment) for _ in range(2)]
    ends = [await environment.closed("ann", generation) for generation in generations.values()]
    ends += [await environment.closed("bob", generation) for generation in (paid, denied)]

    code, told = await verified(environment)

    assert [(done, seen["breaches"]) for done, seen in while_they_run] == [(0, []), (0, [])]
    assert (code, told["breaches"], told["holds"]) == (0, [], True)
    settled, refunded = (sum(end[-1] == how for end in ends) for how in ("settled", "refunded"))
    assert (settled, refunded, ends[-1]) == (3, 3, ["denied"])
    assert told["generations"] == {"charged": 6, "settled": 3, "refunded": 3, "held": 0, "denied": 1}
    assert (told["video"]["completed"], told["credits"]["issued"]) == (3, 1050)
    assert told["credits"]["spent"] == 3 * 40


async def test_an_entry_of_another_writer_is_found(environment: Saga) -> None:
    generation = await environment.request("ann", "a storm [emulator:fail]")
    assert await environment.closed("ann", generation) == ["debited", "refunded"]
    before, _ = await verified(environment)
    last = (await environment.ledger("ann"))[-1]
    body = {
        "account": "ann",
        "entry": 4,
        "postings": [
            {"account": "ann:held", "amount": -40, "grant": 1},
            {"account": "spent", "amount": 40, "grant": 1},
        ],
        "balances": {"available": 1000, "held": 0},
        "decided_at": "2026-11-23T10:00:00Z",
        "generation": generation,
        "amount": 40,
    }
    sequence = await publish_forged_entry(environment, "ledger.ann.settled", "credits.settled.v1", body)

    code, told = await verified(environment)

    assert (before, code, sequence) == (0, 1, last.sequence + 1)
    found = {(breach["kind"], breach["stream"], breach["sequence"]) for breach in told["breaches"]}
    assert ("settled-and-refunded", "LEDGER", sequence) in found
    assert {kind for kind, *_ in found} <= {"settled-and-refunded", "settled-not-completed"}


async def test_a_message_that_is_not_an_entry_is_found(environment: Saga) -> None:
    sequence = await publish_forged_entry(
        environment, "ledger.ann.settled", "credits.settled.v1", "not an entry"
    )

    code, told = await verified(environment)

    assert code == 1
    assert [(breach["kind"], breach["sequence"]) for breach in told["breaches"]] == [("unreadable", sequence)]


async def publish_forged_entry(environment: Saga, subject: str, kind: str, body: object) -> int:
    """Publish to LEDGER with the identity of credits; returns the sequence."""
    ident = event_id(subject, str(body))
    lines = event_head(ident, kind, subject, "2026-11-23T10:00:00", ident).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line and "Expected" not in line)
    stored = await environment.connection.jetstream().publish(
        subject, json.dumps(body).encode(), headers=headers
    )
    return stored.seq
