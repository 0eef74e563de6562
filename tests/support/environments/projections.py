"""A projection of one table, whose rows tell what was applied, and running ones of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Engine, MetaData
from sqlmodel import Field, Session, SQLModel, select
from tests.support.environments.reactor import ReactorEnvironment
from tests.support.eventually import eventually

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import Rows, new_row
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.session import position_table
from telecine_chassis.projections.slots import Slots
from telecine_contracts import registry
from telecine_contracts.streams import VIDEO

__all__ = [
    "METADATA",
    "AppliedEvent",
    "Applier",
    "ProjectionStarter",
    "RunningProjections",
    "SimulatedCrash",
    "applied_generations",
    "projection_position",
]

METADATA = MetaData()


class AppliedEvent(SQLModel, table=True):
    """One row for every event that was applied, and how often that was."""

    metadata = METADATA
    __tablename__ = "seen"

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    generation: str
    times: int = 1


class SimulatedCrash(BaseException):
    """The end of a process, as far as a transaction can tell."""


@dataclass
class Applier:
    """The function under the projection; notes what it was given and fails where it is told to."""

    poison: frozenset[str] = frozenset()
    crash_at: str = ""
    given: list[str] = field(default_factory=list)

    def __call__(self, rows: Rows, recorded: RecordedEvent) -> None:
        generation = recorded.event.about["generation"]
        self.given.append(generation)
        row = rows.get(AppliedEvent, recorded.sequence)
        if row is None:
            rows.add(AppliedEvent, new_row(AppliedEvent, sequence=recorded.sequence, generation=generation))
        else:
            row.times += 1
        rows.write()
        if generation in self.poison:
            raise ValueError(f"can't apply {generation}")
        if generation == self.crash_at:
            raise SimulatedCrash


def applied_generations(engine: Engine) -> list[str]:
    """The generations whose events were applied, in order; each once, or AssertionError."""
    with Session(engine) as session:
        rows = session.exec(select(AppliedEvent).order_by(AppliedEvent.sequence)).all()  # type: ignore[arg-type]
        assert all(row.times == 1 for row in rows)
        return [row.generation for row in rows]


def projection_position(engine: Engine) -> int | None:
    """How far the tables are, if they have begun."""
    table = position_table(METADATA)
    with Session(engine) as session:
        found = session.execute(table.select()).all()
        return found[0].sequence if found else None


@dataclass
class RunningProjections:
    """Running projections of one service."""

    projections: ProjectionRunner
    failures: list[str]

    @property
    def engine(self) -> Engine:
        return self.projections.engine

    @property
    def sequence(self) -> int:
        return self.projections.sequence("seen")

    async def until(self, sequence: int) -> None:
        await eventually(lambda: self.sequence >= sequence, what=f"the projection is at {sequence}")


@dataclass
class ProjectionStarter:
    """Starts projections and stops them at the end of the test."""

    world: ReactorEnvironment
    slots: Slots
    running: list[ProjectionRunner] = field(default_factory=list)

    async def start(
        self,
        applier: Applier,
        *,
        listener: list[str] | None = None,
        watcher: list[str] | None = None,
        linger: float = 0,
    ) -> RunningProjections:
        failures: list[str] = []
        projections = ProjectionRunner(
            self.slots,
            [Projection("seen", VIDEO, applier, linger=linger)],
            self.world.client,
            registry(),
            service=self.world.service,
            on_failure=failures.append,
        )
        if listener is not None:
            projections.listen("seen", lambda events: listener.extend(names(events)))
        if watcher is not None:
            projections.watch("seen", lambda events: watcher.extend(names(events)))
        await projections.start()
        self.running.append(projections)
        return RunningProjections(projections, failures)

    async def stop(self, following: RunningProjections) -> None:
        self.running.remove(following.projections)
        await following.projections.stop()


def names(events: Sequence[RecordedEvent]) -> list[str]:
    return [recorded.event.about["generation"] for recorded in events]
