"""What a generation costs: whole credits, 40 / 50 / 70 up to ten seconds, half as much again beyond."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts.pricing import PRICE_TABLE, PriceTable
from telecine_contracts.video_models import MODELS, RESOLUTIONS


@pytest.mark.parametrize(
    ("resolution", "duration", "credits"),
    [
        ("480p", 2, 40),
        ("720p", 2, 50),
        ("1080p", 2, 70),
        ("480p", 10, 40),
        ("720p", 10, 50),
        ("1080p", 10, 70),
        ("480p", 11, 60),
        ("720p", 11, 75),
        ("1080p", 11, 105),
        ("720p", 30, 75),
    ],
)
def test_prices(resolution: str, duration: int, credits: int) -> None:
    price = PRICE_TABLE.quote(resolution, duration)
    assert price.credits == credits
    assert (price.table, price.resolution, price.duration) == (PRICE_TABLE.version, resolution, duration)


def test_everything_that_can_be_asked_for_has_a_price() -> None:
    for model in MODELS.values():
        for resolution in model.resolutions:
            for duration in range(model.durations[0], model.durations[1] + 1):
                assert PRICE_TABLE.quote(resolution, duration).credits >= 1
    assert set(PRICE_TABLE.resolutions) == set(RESOLUTIONS)


@pytest.mark.parametrize("resolution", ["", "4k", "720P", "banana"])
def test_what_is_not_sold_has_no_price(resolution: str) -> None:
    with pytest.raises(KeyError):
        PRICE_TABLE.quote(resolution, 5)


@given(st.integers(1, 1000), st.decimals("0.1", "3", places=1), st.integers(1, 30))
def test_a_part_of_a_credit_is_rounded_up_and_never_lost_to_floats(
    base: int, factor: Decimal, duration: int
) -> None:
    table = PriceTable(
        version="test", base=base, resolutions={"720p": factor}, long_after=10, long_factor=Decimal("1.5")
    )
    tenths = base * int(factor * 10) * (15 if duration > 10 else 10)
    assert table.quote("720p", duration).credits == -(-tenths // 100)


def test_a_table_survives_json() -> None:
    assert PriceTable.model_validate_json(PRICE_TABLE.model_dump_json()) == PRICE_TABLE
