"""The price tables on CATALOG, by which debits are recomputed."""

from typing import Any

from telecine_auditor.errors import SourceError
from telecine_auditor.sources.port import CATALOG, Source
from telecine_contracts import BadEvent, UnknownEvent, registry
from telecine_contracts.price_catalog import PriceCatalog
from telecine_contracts.pricing import NotSold, PriceTable, price_inputs

from .events import Price
from .header_parser import printable

__all__ = ["PriceTables", "describe_clip", "read_price_tables"]

_TYPE = "catalog.prices_published.v1"


class PriceTables:
    """All published tables. `is_complete`: the source has CATALOG, so a table that is not there was never published."""

    def __init__(self, catalog: PriceCatalog | None = None) -> None:
        self.catalog = catalog or PriceCatalog()
        self.is_complete = catalog is not None
        self._known: dict[tuple[Any, ...], int | None] = {}

    def recompute(self, price: Price) -> int | None:
        """Credits by the table that the price names: 0 if it does not sell the clip, None if it is not known."""
        key = _key(price)
        if key in self._known:
            return self._known[key]
        table = self.catalog.table(price.table)
        credits: int | None = None
        if table is not None:
            try:
                credits = _credits(table, price)
            except NotSold:
                credits = 0
        self._known[key] = credits
        return credits


def _credits(table: PriceTable, price: Price) -> int:
    """What the table says; 0 if the credits of the lengths differ. Raises NotSold."""
    lengths = price.by_seconds
    if lengths is not None and (not lengths or len(lengths) != price.duration - lengths[0][0] + 1):
        return 0
    quoted = table.quote(price_inputs(price))
    return quoted.credits if quoted.by_seconds == lengths else 0


async def read_price_tables(source: Source) -> PriceTables:
    """The tables of a source. Raises SourceError for a table that cannot be read."""
    if not await source.has(CATALOG):
        return PriceTables()
    events, known = [], registry()
    async for entries in source.batches(CATALOG):
        for entry in entries:
            if entry.header("ce-type") != _TYPE:
                continue
            try:
                events.append(known.decode(_TYPE, entry.body))
            except (BadEvent, UnknownEvent) as error:
                raise SourceError(f"CATALOG#{entry.sequence} is not a price table: {error}") from None
    return PriceTables(PriceCatalog.of(events))


def describe_clip(price: Price) -> str:
    """The inputs in words: two prices with the same words have the same inputs."""
    marks = [name for name in ("audio", "input_video") if getattr(price, name)]
    parts = [f"{price.resolution} for {price.duration} s", *([f"with {price.model}"] if price.model else [])]
    lengths = ["at most, by seconds", printable(price.by_seconds)] if price.by_seconds is not None else []
    return " ".join([*parts, *marks, *([price.tier] if price.tier else []), *lengths])


def _key(price: Price) -> tuple[Any, ...]:
    return (
        price.table,
        price.resolution,
        price.duration,
        price.model,
        price.audio,
        price.input_video,
        price.tier,
        price.by_seconds,
    )
