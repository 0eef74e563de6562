"""What a generation costs: whole credits by rates and factors, and what the provider charges for it."""

from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telecine_contracts.price_files import built_in_table
from telecine_contracts.pricing import (
    SEED_TABLE,
    Cost,
    Factor,
    NotSold,
    PricedInputs,
    PriceTable,
    Rate,
    price_inputs,
    seed_price,
)
from telecine_contracts.video_models import DEFAULT_MODEL, MODELS

SEED_PRICES = [
    ("480p", 2, 40),
    ("720p", 2, 50),
    ("1080p", 2, 70),
    ("480p", 10, 40),
    ("720p", 10, 50),
    ("1080p", 10, 70),
    ("480p", 11, 60),
    ("720p", 11, 75),
    ("1080p", 11, 105),
]


def clip(**changes: Any) -> PricedInputs:
    inputs: dict[str, Any] = {"model": "a", "resolution": "720p", "seconds": 5}
    return PricedInputs(**inputs | changes)


def table(**lists: Any) -> PriceTable:
    return PriceTable(version="test", **{"rates": (Rate(per_clip=Decimal(10)),)} | lists)


@pytest.mark.parametrize(("resolution", "seconds", "credits"), SEED_PRICES)
def test_the_seeds_model_costs_what_it_did_in_the_seed(resolution: str, seconds: int, credits: int) -> None:
    inputs = PricedInputs(model=DEFAULT_MODEL, resolution=resolution, seconds=seconds)
    price = built_in_table().quote(inputs)
    assert price.credits == credits == seed_price(resolution, seconds).credits
    assert (price.table, price.model, price.duration) == (built_in_table().version, DEFAULT_MODEL, seconds)
    assert price_inputs(price) == inputs


def test_everything_that_can_be_requested_has_a_price_and_a_cost() -> None:
    for model in MODELS.values():
        for resolution in model.resolutions:
            for seconds in range(model.durations[0], model.durations[1] + 1):
                inputs = PricedInputs(model=model.name, resolution=resolution, seconds=seconds)
                assert built_in_table().credits(inputs) >= 1
                assert built_in_table().cost(inputs, 1_000_000)


@pytest.mark.parametrize(("model", "resolution"), [("a", "8k"), ("b", "720p"), (None, "720p")])
def test_what_no_rate_covers_is_not_sold(model: str, resolution: str) -> None:
    sold = table(rates=(Rate(models=("a",), resolutions=("480p", "720p"), per_clip=Decimal(1)),))
    with pytest.raises(NotSold, match=f"{resolution} for 5 s.* has no price in table test"):
        sold.quote(clip(model=model, resolution=resolution))


def test_the_first_rate_that_applies_and_all_factors_that_apply() -> None:
    priced = table(
        rates=(
            Rate(audio=True, per_second=Decimal("1.5")),
            Rate(per_clip=Decimal(10), per_second=Decimal(1)),
            Rate(per_clip=Decimal(1)),
        ),
        factors=(
            Factor(longer_than=10, factor=Decimal(2)),
            Factor(tier="flex", factor=Decimal("0.5")),
            Factor(input_video=True, models=("b",), factor=Decimal(100)),
        ),
    )
    assert priced.credits(clip()) == 15
    assert priced.credits(clip(audio=True)) == 8, "7.5, rounded up"
    assert priced.credits(clip(seconds=11)) == 42
    assert priced.credits(clip(seconds=11, tier="flex")) == 21
    assert priced.credits(clip(input_video=True)) == 15, "the factor is for another model"
    assert priced.credits(clip(input_video=True, model="b")) == 1500


def test_the_cost_is_that_of_the_first_line_that_applies() -> None:
    priced = table(
        costs=(
            Cost(models=("a",), tier="flex", per_million_tokens=Decimal("7.5")),
            Cost(models=("a",), per_million_tokens=Decimal(15)),
        )
    )
    assert priced.cost(clip(tier="flex"), 108_900) == Decimal("0.81675")
    assert priced.cost(clip(), 108_900) == Decimal("1.6335")
    assert priced.cost(clip(model="b"), 108_900) is None


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.lists(st.integers(1, 10**9), max_size=4),
    st.integers(1, 30),
)
def test_a_part_of_a_credit_is_rounded_up_and_never_lost(
    per_clip: int, per_second: int, factors: list[int], seconds: int
) -> None:
    if not per_clip and not per_second:
        return
    micro = Decimal(1).scaleb(-6)
    priced = table(
        rates=(Rate(per_clip=per_clip * micro, per_second=per_second * micro),),
        factors=tuple(Factor(factor=factor * micro) for factor in factors),
    )
    product, scale = per_clip + per_second * seconds, 10**6
    for factor in factors:
        product, scale = product * factor, scale * 10**6
    assert priced.credits(clip(seconds=seconds)) == min(max(-(-product // scale), 1), 2**53 - 1)
    assert ceil(product / scale) >= 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rates": ()}, "at least 1 item"),
        ({"rates": [{}]}, "nothing is free"),
        ({"rates": [{"per_clip": -1}]}, "greater than or equal to 0"),
        ({"rates": [{"per_clip": "NaN"}]}, "finite"),
        ({"rates": [{"per_clip": 1, "models": []}]}, "at least 1 item"),
        ({"factors": [{"factor": 0}]}, "greater than 0"),
        ({"factors": [{"factor": "1.0000001"}]}, "decimal places"),
        ({"costs": [{"per_million_tokens": 1, "tier": "slow"}]}, "'default' or 'flex'"),
        ({"currency": "yuan"}, "pattern"),
        ({"version": "a b"}, "pattern"),
        ({"discount": 3}, "Extra inputs"),
    ],
)
def test_wrong_tables_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PriceTable.model_validate({"version": "test", "rates": [{"per_clip": 1}]} | wrong)


def test_a_table_survives_json() -> None:
    for known in (SEED_TABLE, built_in_table()):
        assert PriceTable.model_validate_json(known.model_dump_json(exclude_none=True)) == known
