"""SIGKILL of the nats-server: every acknowledged event is kept, and every generation ends once."""

from pathlib import Path

from tests.support.environments.saga import Emulator, action_names, saga
from tests.support.servers.instances import NatsServer, S3Server


async def test_the_nats_server_dies_in_the_middle_of_everything(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path) as world:
        await world.grant("ann", 1000)
        generations = [await world.request("ann", f"lighthouse number {number}") for number in range(12)]
        await world.until("ann", generations[0], "submission_started")
        nats.kill()
        await nats.start()

        for generation in generations:
            assert await world.closed("ann", generation, within=60) == ["debited", "settled"]
            assert action_names(await world.video("ann", generation)).count("submitted") == 1
            assert len(await world.emulator.submissions(generation)) == 1
        assert await world.balances("ann") == {"available": 520, "held": 0}
