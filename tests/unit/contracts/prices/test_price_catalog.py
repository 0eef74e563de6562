"""Which table is in force, and prices by the table that they name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from telecine_contracts.price_catalog import PriceCatalog, PricesPublished
from telecine_contracts.pricing import SEED_TABLE, PricedInputs, PriceTable, Rate, seed_price

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INPUTS = PricedInputs(model="a", resolution="720p", seconds=5)


def published(version: str, at: datetime, credits: int = 1) -> PricesPublished:
    table = PriceTable(version=version, rates=(Rate(resolutions=("720p",), per_clip=Decimal(credits)),))
    return PricesPublished(catalog="prices", table=table, effective_from=at)


def in_force(catalog: PriceCatalog, time: datetime) -> str | None:
    found = catalog.at(time)
    return found.table.version if found else None


def test_a_table_is_in_force_from_its_time_until_the_next() -> None:
    catalog = PriceCatalog.of(
        [published("1", NOON), published("3", NOON + 2 * HOUR), published("2", NOON + HOUR)]
    )
    assert in_force(catalog, NOON - HOUR) is None
    assert in_force(catalog, NOON) == "1"
    assert in_force(catalog, NOON + HOUR) == "2"
    assert in_force(catalog, NOON + 9 * HOUR) == "3"
    assert [each.table.version for each in catalog.after(NOON)] == ["2", "3"]


def test_of_two_tables_for_the_same_time_the_one_published_later_is_in_force() -> None:
    assert in_force(PriceCatalog.of([published("1", NOON), published("2", NOON)]), NOON) == "2"


def test_a_price_is_recomputed_by_the_table_that_it_names() -> None:
    catalog = PriceCatalog.of([published("1", NOON, 30), published("2", NOON, 40)])
    old = published("1", NOON, 30).table.quote(INPUTS)
    assert catalog.recompute(old) == 30
    assert catalog.recompute(old.model_copy(update={"table": "2"})) == 40
    assert catalog.recompute(old.model_copy(update={"table": "3"})) is None
    assert catalog.recompute(old.model_copy(update={"resolution": "8k"})) == 0
    assert catalog.recompute(seed_price("1080p", 11)) == 105, "prices from before tables were published"
    assert catalog.table(SEED_TABLE.version) == SEED_TABLE
