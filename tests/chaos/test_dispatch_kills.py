"""A generation service is killed at every step of the queue: nothing stays behind, and no place is taken twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.test_service_kills import ACK, APPEND, SUBMIT, TIMER
from tests.support.environments.saga import Emulator, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, S3Server

from telecine_auditor.reports.fairness import FairnessCheck
from telecine_auditor.sources.message import StoredMessage
from telecine_contracts import encode, subjects
from telecine_contracts.video_models import DEFAULT_MODEL

LIMITS = {"generation": {"provider_limits": f"{DEFAULT_MODEL}=1", "poll_interval": 0.1}}


@pytest.mark.parametrize(
    ("target", "moment", "count"),
    [
        pytest.param(APPEND, "after", 1, id="the first has a place and is not submitted"),
        pytest.param(APPEND, "after", 4, id="something entered the queue"),
        pytest.param(APPEND, "after", 9, id="in the middle of the decisions"),
        pytest.param(SUBMIT, "after", 2, id="the second was submitted"),
        pytest.param(TIMER, "before", 2, id="before a timer"),
        pytest.param(ACK, "before", 6, id="before an acknowledgement"),
    ],
)
async def test_a_service_that_dies_leaves_no_generation_in_the_queue(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path, target: str, moment: str, count: int
) -> None:
    async with saga(nats, s3, emulator, tmp_path, without="generation", overrides=LIMITS) as environment:
        for account in ("ann", "bob"):
            await environment.grant(account, 1000)
        victim = environment.process("generation", die=(target, moment, count))
        victim.start()
        pairs = [(account, await environment.request(account)) for account in ("ann", "ann", "ann", "bob")]
        try:
            await eventually(lambda: not victim.running, within=30, what="the service did not die")
            assert victim.returncode == -9
        finally:
            victim.kill()
        await environment.start("generation")
        for account, generation in pairs:
            assert await environment.closed(account, generation, within=60) == ["debited", "settled"]
            tasks = await environment.emulator.submissions(generation)
            assert len([task for task in tasks if task["outcome"].startswith("accepted")]) == 1
        check = await audited(await environment.store.load(subjects.queue(DEFAULT_MODEL)))
        assert check.violations == []


async def audited(events: Sequence[object]) -> FairnessCheck:
    check = FairnessCheck()
    for number, recorded in enumerate(events, 1):
        event = recorded.event  # type: ignore[attr-defined]
        check.take(StoredMessage(number, 0, subjects.of_event(event), b"", encode(event)))
    return check
