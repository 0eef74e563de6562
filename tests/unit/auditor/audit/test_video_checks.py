"""Every disagreement between VIDEO and the ledger is reported."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.audit.breaches.planted_ledger import DAY, NOW, LedgerBuilder, LedgerLine

from telecine_auditor.audit.video_checks import VideoChecks
from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.sources.message import StoredMessage

K = BreachKind
MINUTE = timedelta(minutes=1)
_TYPES = {"stored": "video.stored.v1", "storage_failed": "video.storage_failed.v1", "ready": "video.ready.v1"}


@dataclass
class World:
    """A ledger and its VIDEO stream."""

    ledger: LedgerBuilder = field(default_factory=LedgerBuilder)
    videos: list[LedgerLine] = field(default_factory=list)
    now: datetime = NOW

    def video(self, account: str, generation: str, action: str, **own: Any) -> None:
        """An event of the generation, a minute later."""
        self.now += MINUTE
        body = {"account": account, "generation": generation} | own
        kind = _TYPES.get(action, f"generation.{action}.v1")
        subject = f"video.{account}.{generation}.{action}"
        self.videos.append(LedgerLine(subject, kind, f"id-{len(self.videos)}", self.now, body))

    def asked(self, account: str, generation: str, credits: int = 10) -> None:
        """It was requested."""
        self.video(account, generation, "requested", price={"credits": credits, "table": "2025-01"})

    def erase(self, account: str, *, upto: int) -> None:
        """The account was erased after an entry of LEDGER."""
        self.now += MINUTE
        body = {"account": account, "generations": 1, "ledger_sequence": upto}
        subject = f"video.{account}.account.erased"
        self.videos.append(LedgerLine(subject, "account.erased.v1", f"id-{len(self.videos)}", self.now, body))

    def entries(self, without: tuple[int, ...] = ()) -> list[StoredMessage]:
        """Remove sequences from VIDEO."""
        whole = [line.entry(sequence) for sequence, line in enumerate(self.videos, 1)]
        return [entry for entry in whole if entry.sequence not in without]

    def audit(
        self, *, without: tuple[int, ...] = (), after: timedelta = DAY
    ) -> tuple[VideoChecks, list[Breach]]:
        """The breaches, with `now` that long after the last event."""
        found: list[Breach] = []
        replay = LedgerReplay(found.append)
        for entry in self.ledger.entries():
            replay.take(entry)
        assert found == []
        videos = VideoChecks(replay, found.append, now=self.now + after, in_flight=5 * MINUTE)
        videos.take(self.entries(without))
        videos.finish()
        return videos, found


def world() -> World:
    """A generation of each outcome: settled (also with the provider's URL), refunded, denied, running."""
    made = World()
    ledger = made.ledger
    ledger.granted("ann", 500)
    for generation in ("done", "stopgap", "failed", "cancelled", "lost", "runs"):
        made.asked("ann", generation)
        ledger.debited("ann", generation, (1, 10))
    made.asked("ann", "denied", 1000)
    ledger.denied("ann", "denied", needed=1000)
    made.video("ann", "done", "ready")
    made.video("ann", "done", "stored")
    made.video("ann", "stopgap", "storage_failed", stopgap_url="https://provider.example/1.mp4")
    made.video("ann", "lost", "storage_failed")
    made.video("ann", "failed", "failed")
    made.video("ann", "failed", "late_result")
    made.video("ann", "cancelled", "cancelled")
    made.video("ann", "denied", "failed")
    for generation in ("done", "stopgap"):
        ledger.settled("ann", generation, (1, 10))
    for generation in ("failed", "cancelled", "lost"):
        ledger.refunded("ann", generation, (1, 10))
    return made


def test_a_ledger_that_agrees_with_video_has_no_breach() -> None:
    videos, found = world().audit()

    assert found == []
    assert (videos.completed, videos.failed, videos.in_flight, videos.erased) == (2, 4, 0, 0)
    assert videos.undecided == 0


Change = Callable[[World], None]


def debited(world: World, generation: str = "more", asked: int | None = 10) -> None:
    if asked is not None:
        world.asked("ann", generation, asked)
    world.ledger.debited("ann", generation, (1, 10))


def completed_and_held(world: World) -> None:
    debited(world)
    world.video("ann", "more", "stored")


def completed_and_refunded(world: World) -> None:
    completed_and_held(world)
    world.ledger.refunded("ann", "more", (1, 10))


def completed_and_never_charged(world: World) -> None:
    world.asked("ann", "more")
    world.video("ann", "more", "stored")


def completed_and_denied(world: World) -> None:
    world.video("ann", "denied2", "requested", price={"credits": 1000})
    world.ledger.denied("ann", "denied2", needed=1000)
    world.video("ann", "denied2", "stored")


def settled_and_running(world: World) -> None:
    debited(world)
    world.ledger.settled("ann", "more", (1, 10))


def settled_and_failed(world: World) -> None:
    settled_and_running(world)
    world.video("ann", "more", "failed")


def settled_and_lost(world: World) -> None:
    settled_and_running(world)
    world.video("ann", "more", "storage_failed", stopgap_url=None)


def failed_and_held(world: World) -> None:
    debited(world)
    world.video("ann", "more", "failed")


def cancelled_and_held(world: World) -> None:
    debited(world)
    world.video("ann", "more", "cancelled")


def refunded_and_running(world: World) -> None:
    debited(world)
    world.ledger.refunded("ann", "more", (1, 10))


def charged_unasked(world: World) -> None:
    debited(world, asked=None)


def charged_at_another_price(world: World) -> None:
    debited(world, asked=9)


def charged_to_another(world: World) -> None:
    world.asked("bob", "more")
    debited(world, asked=None)


def charged_to_two(world: World) -> None:
    """Bob requested and was charged; ann was charged too."""
    world.ledger.granted("bob", 10)
    world.asked("bob", "more")
    world.ledger.debited("bob", "more", (1, 10))
    debited(world, asked=None)


def two_ends(world: World) -> None:
    world.video("ann", "done", "failed")


def no_price(world: World) -> None:
    world.video("ann", "more", "requested")


def no_json(world: World) -> None:
    world.asked("ann", "more")
    world.videos[-1].raw = b"{"


def no_object(world: World) -> None:
    world.asked("ann", "more")
    world.videos[-1].raw = b"[]"


def of_another(world: World) -> None:
    world.asked("ann", "more")
    world.videos[-1].body["generation"] = "done"


def of_another_type(world: World) -> None:
    world.video("ann", "more", "stored")
    world.videos[-1].type = "video.ready.v1"


def of_a_type_that_another_header_names(world: World) -> None:
    of_another_type(world)
    world.videos[-1].head = b"x-note: ce-type: video.stored.v1\r\n" + world.videos[-1].entry(1).head


def ended_as_another(world: World) -> None:
    world.video("ann", "more", "failed")
    world.videos[-1].body["generation"] = "done"


def ended_by_no_event(world: World) -> None:
    world.video("ann", "more", "failed")
    world.videos[-1].raw = b"failed"


def of_no_video(world: World) -> None:
    world.asked("ann", "more")
    world.videos[-1].subject = "ledger.ann.debited"


DISAGREEMENTS: list[tuple[K, Change, str]] = [
    (K.COMPLETED_NOT_SETTLED, completed_and_held, "VIDEO"),
    (K.COMPLETED_NOT_SETTLED, completed_and_refunded, "VIDEO"),
    (K.COMPLETED_NOT_SETTLED, completed_and_never_charged, "VIDEO"),
    (K.COMPLETED_NOT_SETTLED, completed_and_denied, "VIDEO"),
    (K.SETTLED_NOT_COMPLETED, settled_and_running, "LEDGER"),
    (K.SETTLED_NOT_COMPLETED, settled_and_failed, "VIDEO"),
    (K.SETTLED_NOT_COMPLETED, settled_and_lost, "VIDEO"),
    (K.FAILED_NOT_REFUNDED, failed_and_held, "VIDEO"),
    (K.FAILED_NOT_REFUNDED, cancelled_and_held, "VIDEO"),
    (K.REFUNDED_NOT_FAILED, refunded_and_running, "LEDGER"),
    (K.NOT_ASKED_FOR, charged_unasked, "LEDGER"),
    (K.PRICE_NOT_AS_ASKED, charged_at_another_price, "VIDEO"),
    (K.WRONG_ACCOUNT, charged_to_another, "LEDGER"),
    (K.WRONG_ACCOUNT, charged_to_two, "LEDGER"),
    (K.TWO_ENDS, two_ends, "VIDEO"),
    (K.UNREADABLE, no_price, "VIDEO"),
    (K.UNREADABLE, no_json, "VIDEO"),
    (K.UNREADABLE, no_object, "VIDEO"),
    (K.WRONG_SUBJECT, of_another, "VIDEO"),
    (K.WRONG_SUBJECT, of_another_type, "VIDEO"),
    (K.WRONG_SUBJECT, of_a_type_that_another_header_names, "VIDEO"),
    (K.WRONG_SUBJECT, ended_as_another, "VIDEO"),
    (K.UNREADABLE, ended_by_no_event, "VIDEO"),
    (K.WRONG_SUBJECT, of_no_video, "VIDEO"),
]


@pytest.mark.parametrize(
    ("kind", "change", "stream"), DISAGREEMENTS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_disagreement_with_video_is_the_only_breach_reported(kind: K, change: Change, stream: str) -> None:
    disagreeing = world()
    change(disagreeing)
    last = {"VIDEO": len(disagreeing.videos), "LEDGER": len(disagreeing.ledger.lines)}[stream]

    _, found = disagreeing.audit()

    assert [(breach.kind, breach.stream, breach.sequence) for breach in found] == [(kind, stream, last)]


def test_a_recent_end_is_in_flight() -> None:
    late = world()
    completed_and_held(late)

    videos, found = late.audit(after=4 * MINUTE)

    assert (found, videos.in_flight) == ([], 1)


def test_an_outcome_after_the_end_of_the_ledger_is_in_flight() -> None:
    """VIDEO is read after the ledger and may have newer events."""
    later = world()
    completed_and_never_charged(later)

    videos, found = later.audit(after=-DAY)

    assert found == []
    assert videos.in_flight == 1


def test_a_time_in_the_future_does_not_hide_a_breach() -> None:
    ahead = world()
    completed_and_held(ahead)
    ahead.videos[-1].head = ahead.videos[-1].entry(1).head.replace(b"ce-time: 2026", b"ce-time: 2027")

    _, found = ahead.audit()

    assert [breach.kind for breach in found] == [K.COMPLETED_NOT_SETTLED]


def test_undecided_requests_are_counted() -> None:
    waiting = world()
    waiting.asked("ann", "more")

    videos, found = waiting.audit()

    assert (found, videos.undecided) == ([], 1)


def test_charges_of_an_erased_account_are_counted_and_not_checked() -> None:
    erased = World()
    erased.asked("bob", "b1")
    erased.ledger.granted("bob", 10)
    erased.ledger.debited("bob", "b1", (1, 10))
    erased.ledger.granted("ann", 500)
    erased.ledger.debited("ann", "g1", (1, 10))
    erased.asked("ann", "g1")
    erased.video("ann", "g1", "failed")
    erased.ledger.refunded("ann", "g1", (1, 10))
    erased.erase("bob", upto=2)

    videos, found = erased.audit(without=(1,))

    assert found == []
    assert videos.erased == 1


def test_an_erasure_that_is_under_way_is_no_breach() -> None:
    """Any of a generation's events may be gone: what is left is not judged."""
    for gone in ((), (1,), (2,), (1, 2)):
        erased = World()
        erased.ledger.granted("ann", 500)
        erased.asked("ann", "g1")
        erased.ledger.debited("ann", "g1", (1, 10))
        erased.video("ann", "g1", "stored")
        erased.ledger.settled("ann", "g1", (1, 10))
        erased.erase("ann", upto=3)

        videos, found = erased.audit(without=gone)

        assert found == [], gone
        assert videos.erased == (1 if gone else 0)


def test_an_erased_account_is_checked_from_its_next_request() -> None:
    erased = World()
    erased.ledger.granted("ann", 500)
    erased.asked("ann", "g1")
    erased.ledger.debited("ann", "g1", (1, 10))
    erased.erase("ann", upto=2)
    erased.now = erased.ledger.now = NOW + DAY
    erased.asked("ann", "g2")
    erased.ledger.debited("ann", "g2", (1, 10))
    erased.ledger.debited("ann", "g3", (1, 10))

    videos, found = erased.audit(without=(1,))

    assert [(breach.kind, breach.generation) for breach in found] == [(K.NOT_ASKED_FOR, "g3")]
    assert videos.erased == 1


def test_events_that_are_missing_without_a_recorded_erasure_are_a_breach() -> None:
    deleted = World()
    deleted.ledger.granted("ann", 500)
    deleted.asked("ann", "g1")
    deleted.ledger.debited("ann", "g1", (1, 10))
    deleted.erase("bob", upto=2)

    videos, found = deleted.audit(without=(1,))

    assert [breach.kind for breach in found] == [K.NOT_ASKED_FOR]
    assert videos.erased == 0


def test_without_gaps_no_account_counts_as_erased() -> None:
    nothing = World()
    nothing.ledger.granted("ann", 500)
    nothing.ledger.debited("ann", "g1", (1, 10))

    videos, found = nothing.audit()

    assert [breach.kind for breach in found] == [K.NOT_ASKED_FOR]
    assert videos.erased == 0
