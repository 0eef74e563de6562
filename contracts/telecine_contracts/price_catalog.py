"""The CATALOG stream: price tables, each from the time at which it takes effect."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .message import Event
from .pricing import SEED_TABLE, NotSold, Price, PriceTable, price_inputs

__all__ = ["PriceCatalog", "PricesPublished"]


class PricesPublished(Event):
    """A price table was published. It is in force from `effective_from` until the next one takes effect.

    Requests that were quoted by an earlier table keep their price.
    """

    type: ClassVar[str] = "catalog.prices_published.v1"
    stream: ClassVar[str] = "CATALOG"
    action: ClassVar[str] = "published"
    written_by: ClassVar[str] = "operator"

    catalog: Annotated[Literal["prices"], Field(description="Name of the catalog: prices")]
    table: Annotated[PriceTable, Field(description="The table")]
    effective_from: Annotated[datetime, Field(description="When it takes effect")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.catalog,)


@dataclass(frozen=True, slots=True)
class PriceCatalog:
    """All published tables, in the order in which they were published."""

    published: tuple[PricesPublished, ...] = ()

    @classmethod
    def of(cls, events: Iterable[Event]) -> "PriceCatalog":
        """The tables among `events`."""
        return cls(tuple(event for event in events if isinstance(event, PricesPublished)))

    def table(self, version: str) -> PriceTable | None:
        """The table of that version; None if it was never published."""
        if version == SEED_TABLE.version:
            return SEED_TABLE
        return next((each.table for each in self.published if each.table.version == version), None)

    def at(self, time: datetime) -> PricesPublished | None:
        """The table in force at `time`: the last to take effect; of two at the same time, the later published."""
        in_force = [each for each in self.published if each.effective_from <= time]
        # max() returns the first of equals.
        return max(reversed(in_force), key=lambda each: each.effective_from, default=None)

    def after(self, time: datetime) -> list[PricesPublished]:
        """The tables that take effect after `time`, the next one first."""
        return sorted(
            (each for each in self.published if each.effective_from > time),
            key=lambda each: each.effective_from,
        )

    def recompute(self, price: Price) -> int | None:
        """Credits of a quoted price by the table that it names: 0 if the table does not sell it.

        None if the table is not known.
        """
        table = self.table(price.table)
        if table is None:
            return None
        try:
            return table.credits(price_inputs(price))
        except NotSold:
            return 0
