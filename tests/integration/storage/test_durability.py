"""Durability of stored videos: the object is on disk before VideoStored, and is restored when it is damaged."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, S3Server
from tests.support.servers.wheel_backend import WheelBackend

from telecine_contracts.storage import VideoStored

SYNC = "telecine_storage.bucket.disk_sync:ObjectFiles.sync"


@pytest.fixture
def local_s3(tmp_path: Path) -> Iterator[S3Server]:
    """An S3 server whose files are in the folder `s3`."""
    with WheelBackend().s3(tmp_path) as server:
        server.start()
        yield server


async def wait_for_stored_event(world: Saga, generation: str) -> VideoStored:
    await world.closed("ann", generation)
    event = (await world.video("ann", generation))[-1].event
    assert isinstance(event, VideoStored)
    return event


async def test_an_object_is_synced_before_its_video_counts_as_stored(
    nats: NatsServer, local_s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    files = {"storage": {"s3_files": tmp_path / "s3"}}
    async with saga(nats, local_s3, emulator, tmp_path, without="storage", overrides=files) as world:
        await world.grant("ann", 100)
        victim = world.process("storage", die=(SYNC, "before", 1))
        victim.start()
        try:
            generation = await world.request("ann")
            await eventually(lambda: not victim.running, within=30, what="the object was not synced")
        finally:
            victim.kill()
        assert "stored" not in action_names(await world.video("ann", generation))
        assert list((tmp_path / "s3" / world.bucket).glob("videos/ann/*.mp4"))
        await world.start("storage")
        await wait_for_stored_event(world, generation)


async def test_a_damaged_object_is_copied_again_and_no_event_is_added(
    nats: NatsServer, local_s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, local_s3, emulator, tmp_path) as world:
        await world.grant("ann", 200)
        emptied, gone = [await wait_for_stored_event(world, await world.request("ann")) for _ in range(2)]
        before = [await world.video("ann", one.generation) for one in (emptied, gone)]
        files = {one.key: tmp_path / "s3" / one.bucket / one.key for one in (emptied, gone)}
        await world.stop("storage")
        local_s3.kill()
        files[emptied.key].write_bytes(b"")
        files[gone.key].unlink()
        await asyncio.to_thread(local_s3.start)

        await world.start("storage")

        def back() -> bool:
            return all(
                files[one.key].exists()
                and hashlib.sha256(files[one.key].read_bytes()).hexdigest() == one.sha256
                for one in (emptied, gone)
            )

        await eventually(back, within=30, what="the objects did not come back")
        assert [await world.video("ann", one.generation) for one in (emptied, gone)] == before
