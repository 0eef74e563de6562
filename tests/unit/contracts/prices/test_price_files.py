"""A price file is TOML; everything that is wrong in it is named, with its place."""

from decimal import Decimal

import pytest

from telecine_contracts.price_files import (
    InvalidPriceFile,
    built_in_table,
    format_price_file,
    parse_price_file,
)
from telecine_contracts.pricing import SEED_TABLE

GOOD = """
version = "2027-01"

[[rates]]
models = ["doubao-seedance-1-0-pro-250528"]
per_second = 0.1

[[factors]]
tier = "flex"
factor = 0.5
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPriceFile) as refused:
        parse_price_file(text)
    return refused.value.problems


def test_numbers_are_read_exactly() -> None:
    table = parse_price_file(GOOD)
    assert (table.rates[0].per_second, table.currency) == (Decimal("0.1"), "CNY")


def test_every_problem_is_named() -> None:
    found = problems(
        GOOD
        + '[[rates]]\nper_clip = -1\n[[factors]]\nresolution = ["720p"]\nfactor = 2\n[[costs]]\ntier = "flex"\n'
    )
    assert len(found) == 3
    assert found[0].startswith("rates[2].per_clip: ")
    assert found[1] == "factors[2].resolution: is not a field of a price table"
    assert found[2] == "costs[1].per_million_tokens: Field required"


def test_misspelt_models_and_resolutions_are_refused() -> None:
    wrong = GOOD.replace("250528", "250529") + '[[costs]]\nresolutions = ["720"]\nper_million_tokens = 3\n'
    assert problems(wrong) == [
        "rates[1].models: there is no model 'doubao-seedance-1-0-pro-250529'",
        "costs[1].resolutions: no model has the resolution '720'",
    ]


def test_a_file_that_is_not_toml_is_refused_with_its_line() -> None:
    assert "line 2" in problems("\nversion = =")[0]


def test_a_table_can_be_written_as_a_file() -> None:
    for table in (built_in_table(), SEED_TABLE):
        assert parse_price_file(format_price_file(table)) == table
