"""Examples of the events of CATALOG and QUEUE, for `examples`."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from .dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from .message import Event
from .price_catalog import PricesPublished
from .pricing import Cost, Factor, PriceTable, Rate

__all__ = ["CATALOG_EXAMPLES", "queue_examples"]

_MODEL = "doubao-seedance-1-0-pro-250528"
CATALOG_EXAMPLES: tuple[Event, ...] = (
    PricesPublished(
        catalog="prices",
        table=PriceTable(
            version="2027-01",
            rates=(
                Rate(models=("doubao-seedance-1-0-pro-250528",), per_clip=Decimal(50)),
                Rate(
                    models=("doubao-seedance-2-0-260128",),
                    resolutions=("480p", "720p"),
                    per_second=Decimal("12.5"),
                ),
            ),
            factors=(
                Factor(longer_than=10, factor=Decimal("1.5")),
                Factor(tier="flex", factor=Decimal("0.5")),
            ),
            costs=(Cost(per_million_tokens=Decimal(15)),),
        ),
        effective_from=datetime(2027, 1, 1, tzinfo=UTC),
    ),
)
"""A price table."""


def queue_examples(account: str, generation: str, time: datetime) -> tuple[Event, ...]:
    """The generation waits from a moment after `time` on, is dispatched, and leaves."""

    def at(seconds: float) -> datetime:
        return time + timedelta(seconds=seconds)

    about = {"account": account, "generation": generation}
    return (
        QueueEntered(model=_MODEL, at=at(0.02), **about),
        GenerationDispatched(model=_MODEL, at=at(31), **about, limit=10, account_limit=4),
        QueueLeft(model=_MODEL, at=at(90), **about),
        CapacityLowered(model=_MODEL, at=at(91), limit=7, until=at(151)),
    )
