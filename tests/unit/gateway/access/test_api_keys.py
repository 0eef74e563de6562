"""API keys: their form and their checksum."""

import pytest

from telecine_gateway.access.api_keys import fingerprint, is_well_formed, new_key


@pytest.mark.parametrize("place", range(41))
def test_checksum_detects_a_typo(place: int) -> None:
    secret = new_key().secret
    wrong = "A" if secret[place] != "A" else "B"

    assert not is_well_formed(secret[:place] + wrong + secret[place + 1 :])


@pytest.mark.parametrize("text", ["", "tk_", "tk_" + "a" * 38, "x" * 41, "tk_" + "é" * 38])
def test_malformed_keys_are_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)


def test_a_new_key_is_well_formed_unique_and_hidden() -> None:
    key, other = new_key(), new_key()

    assert is_well_formed(key.secret)
    assert len(key.secret) == len("tk_") + 32 + 6
    assert key.key_sha256 == fingerprint(key.secret)
    assert key.secret not in repr(key)
    assert key.secret != other.secret
    assert key.key_id != other.key_id
