"""Objects of an erased account go; those of an account that came back stay."""

from tests.support.data.video_events import NOW, GenerationEvents

from telecine_chassis.testing import InMemoryEventStore
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.erasure import AccountErased
from telecine_storage.bucket.memory import MemoryBucket
from telecine_storage.handlers.erase import Erasures
from telecine_storage.transfer.transfer import object_key

ERASED = AccountErased(account="ann", generations=1, ledger_sequence=3)


class World:
    """A store, a bucket, and what storage says about them."""

    def __init__(self) -> None:
        self.store = InMemoryEventStore(registry())
        self.bucket = MemoryBucket()
        self.erasures = Erasures(self.store, self.bucket)

    async def say(self, event: Event) -> None:
        aggregate = subjects.of_event(event)
        envelope = Envelope(
            id=f"{len(self.store.ids)}",
            source="tests",
            type=event.type,
            time=NOW,
            subject=aggregate,
            correlation="c",
            causation="c",
        )
        await self.store.append(event, envelope, aggregate=aggregate, expected=0)

    def put(self, account: str, generation: str) -> str:
        key = object_key(account, generation)
        self.bucket.objects[key] = b"video"
        return key


async def test_objects_of_the_account_are_deleted() -> None:
    world = World()
    await world.say(GenerationEvents("ann", "g1").requested())
    await world.say(ERASED)
    world.put("ann", "g1")  # its events are not deleted yet
    world.put("ann", "g2")  # its events are gone
    world.bucket.objects["videos/ann/other"] = b"x"
    kept = world.put("anna", "g1")
    await world.erasures.erase(ERASED)
    assert list(world.bucket.objects) == [kept]


async def test_a_video_after_the_erasure_stays() -> None:
    world = World()
    await world.say(ERASED)
    await world.say(GenerationEvents("ann", "g3").requested())
    kept = world.put("ann", "g3")
    await world.erasures.erase(ERASED)
    assert list(world.bucket.objects) == [kept]
    assert not await world.erasures.is_erased("ann", "g3")
    assert await world.erasures.is_erased("ann", "g1")
