"""API keys as the command line creates them: new keys, and the rules by which they are created and revoked."""

import pytest

from telecine_cli.api_keys import KEYS, CreateKey, Keys, RevokeKey, new_key
from telecine_cli.errors import UnknownKey, UnknownScope
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked
from telecine_gateway.access.api_keys import fingerprint, is_well_formed

CREATED = ApiKeyCreated(account="acme", key_id="key_1", key_sha256="ab" * 32, name="ci", scopes=("generate",))
REVOKED = ApiKeyRevoked(account="acme", key_id="key_1")


def given_events(*events: ApiKeyCreated | ApiKeyRevoked) -> Keys:
    keys = KEYS.initial
    for event in events:
        keys = KEYS.evolve(keys, event)
    return keys


def test_a_new_key_is_well_formed_unique_and_hidden() -> None:
    key, other = new_key(), new_key()

    assert is_well_formed(key.secret)
    assert len(key.secret) == len("tk_") + 32 + 6
    assert key.key_sha256 == fingerprint(key.secret)
    assert key.secret not in repr(key)
    assert key.secret != other.secret
    assert key.key_id != other.key_id


def test_creating_a_key_is_recorded_once() -> None:
    command = CreateKey("acme", "key_1", "ab" * 32, "ci")

    assert KEYS.decide(command, given_events()) == CREATED
    assert KEYS.decide(command, given_events(CREATED)) is None
    assert KEYS.decide(command, given_events(CREATED, REVOKED)) is None


def test_scopes_are_sorted_and_must_be_known() -> None:
    made = KEYS.decide(CreateKey("acme", "key_1", "ab" * 32, "ci", ("generate", "admin", "admin")), Keys())

    assert isinstance(made, ApiKeyCreated)
    assert made.scopes == ("admin", "generate")
    for scopes in ((), ("root",), ("admin", "HealthEndpoints")):
        with pytest.raises(UnknownScope, match="admin"):
            KEYS.decide(CreateKey("acme", "key_1", "ab" * 32, "ci", scopes), Keys())


def test_revoking_a_key_is_recorded_once() -> None:
    command = RevokeKey("acme", "key_1")

    assert KEYS.decide(command, given_events(CREATED)) == REVOKED
    assert KEYS.decide(command, given_events(CREATED, REVOKED)) is None
    with pytest.raises(UnknownKey):
        KEYS.decide(command, given_events())
