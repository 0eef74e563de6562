"""The price tables that the CATALOG stream has, in memory until one more is published."""

from collections.abc import Callable, Sequence
from datetime import datetime

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.gateway import VideoParameters
from telecine_contracts.price_catalog import PriceCatalog, PricesPublished
from telecine_contracts.pricing import Price
from telecine_gateway.http.errors import RETRY_AFTER, ApiError
from telecine_gateway.http.schemas import ErrorCode
from telecine_gateway.read_model.queries import Queries

__all__ = ["CurrentPrices"]

NO_PRICES = "No price table is in force; the operator has to publish one"


class CurrentPrices:
    """Prices now."""

    def __init__(self, queries: Queries, clock: Callable[[], datetime]) -> None:
        self._queries = queries
        self._clock = clock
        self._catalog: PriceCatalog | None = None
        self._epoch = 0

    def forget(self, events: Sequence[RecordedEvent] = ()) -> None:
        """The tables have changed: read them again."""
        self._epoch += 1
        self._catalog = None

    def now(self) -> datetime:
        """The time by which tables are chosen."""
        return self._clock()

    async def catalog(self) -> PriceCatalog:
        """All published tables."""
        if self._catalog is not None:
            return self._catalog
        epoch = self._epoch
        catalog = PriceCatalog.of(await self._queries.published_prices())
        if epoch == self._epoch:
            self._catalog = catalog
        return catalog

    async def in_force(self) -> PricesPublished:
        """The table in force. Raises ApiError 503 if none is."""
        found = (await self.catalog()).at(self._clock())
        if found is None:
            raise ApiError(503, ErrorCode.UNAVAILABLE, NO_PRICES, {"Retry-After": RETRY_AFTER})
        return found

    async def quote(self, parameters: VideoParameters) -> Price:
        """The price of a request now. Raises NotSold, or ApiError 503 if no table is in force."""
        return (await self.in_force()).table.quote(parameters.priced_inputs())
