"""API keys: their form and their checksum."""

import pytest

from telecine_cli.api_keys import new_key
from telecine_gateway.access.api_keys import is_well_formed


@pytest.mark.parametrize("place", range(41))
def test_checksum_detects_a_typo(place: int) -> None:
    secret = new_key().secret
    wrong = "A" if secret[place] != "A" else "B"

    assert not is_well_formed(secret[:place] + wrong + secret[place + 1 :])


@pytest.mark.parametrize("text", ["", "tk_", "tk_" + "a" * 38, "x" * 41, "tk_" + "é" * 38])
def test_malformed_keys_are_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)
