"""Publishing price tables on the CATALOG stream, and reading them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.server_clock import ServerClock
from telecine_contracts import Event, derive_id, registry, subjects
from telecine_contracts.permissions import OPERATOR
from telecine_contracts.price_catalog import PriceCatalog, PricesPublished
from telecine_contracts.pricing import PriceTable
from telecine_jetstream.client import NatsClient

from .errors import CommandError

__all__ = ["PRICES", "PublishPrices", "load_prices", "publish_first_prices", "publish_prices"]

_PRICES = subjects.catalog("prices")
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_LATE = timedelta(minutes=1)
"""How far `effective_from` may lie in the past: the clocks of two machines differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPrices:
    """Publish a table from `effective_from` on. `at`: now. `only_first`: only if no table was published yet."""

    table: PriceTable
    effective_from: datetime
    at: datetime
    only_first: bool = False


def decide(command: PublishPrices, catalog: PriceCatalog) -> Event | None:
    """The event that publishes the table; None if it is published already.

    Raises CommandError for a version that names another table, or for a time in the past.
    """
    if command.only_first and catalog.published:
        return None
    version = command.table.version
    known = catalog.table(version)
    if known is not None and known != command.table:
        raise CommandError(f"version {version} is another table already: give the new table another version")
    times = [each.effective_from for each in catalog.published if each.table.version == version]
    if command.effective_from in times:
        return None
    if command.effective_from < command.at - _LATE:
        raise CommandError(
            f"the table would take effect in the past, at {command.effective_from.isoformat()}: "
            "what was sold since then has its prices"
        )
    return PricesPublished(catalog="prices", table=command.table, effective_from=command.effective_from)


def evolve(catalog: PriceCatalog, event: Event) -> PriceCatalog:
    """The catalog after an event."""
    if isinstance(event, PricesPublished):
        return PriceCatalog((*catalog.published, event))
    return catalog


PRICES: Decider[PublishPrices, PriceCatalog] = Decider(PriceCatalog(), decide, evolve)
"""The rules of the CATALOG stream."""


async def load_prices(connection: NatsClient) -> PriceCatalog:
    """All published tables."""
    return await _handler(connection, OPERATOR).read(_PRICES)


async def publish_prices(
    connection: NatsClient, table: PriceTable, effective_from: datetime | None = None
) -> PricesPublished | None:
    """Publish a table from a time on, now if it is None. None: it was published already. Raises CommandError."""
    now = await _server_time(connection)
    command = PublishPrices(table=table, effective_from=effective_from or now, at=now)
    return await _publish(connection, command, OPERATOR)


async def publish_first_prices(connection: NatsClient, table: PriceTable, identity: str) -> bool:
    """Publish a table that is in force from the beginning of time, if there is none yet; whether it was published."""
    command = PublishPrices(table=table, effective_from=_ALWAYS, at=_ALWAYS, only_first=True)
    return await _publish(connection, command, identity) is not None


async def _server_time(connection: NatsClient) -> datetime:
    """The time by which the services choose the table in force: this machine's clock may be wrong."""
    clock = ServerClock(connection)
    await clock.start()
    await clock.stop()
    return clock()


async def _publish(connection: NatsClient, command: PublishPrices, identity: str) -> PricesPublished | None:
    request = derive_id(command.table.version, f"PublishPrices {command.effective_from.isoformat()}")
    done = await _handler(connection, identity).handle(_PRICES, command, Cause(request, request))
    event = done.event.event if done.event is not None else None
    assert event is None or isinstance(event, PricesPublished)
    return event


def _handler(connection: NatsClient, identity: str) -> CommandHandler[PublishPrices, PriceCatalog]:
    store = JetStreamEventStore(connection, registry())
    return CommandHandler(store, PRICES, source=f"telecine/{identity}", clock=lambda: datetime.now(UTC))
