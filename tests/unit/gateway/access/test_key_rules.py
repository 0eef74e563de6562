"""API keys: how they are made, replaced and revoked, by the operator and by an account, and when a use is recorded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telecine_contracts import Event
from telecine_contracts.access import ApiKeyAdded, ApiKeyCreated, ApiKeyRemoved, ApiKeyRevoked, ApiKeyUsed
from telecine_gateway.access.api_keys import NewKey
from telecine_gateway.access.key_rules import (
    MAX_KEYS,
    Authority,
    BadExpiry,
    CreateKey,
    ExcessScope,
    ExpiryConflict,
    Keys,
    RecordUse,
    RevokeKey,
    RotateKey,
    TooManyKeys,
    UnknownKey,
    UnknownScope,
    decide,
    evolve,
)

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = NewKey("tk_secret", "key_1", "ab" * 32)
NEXT = NewKey("tk_other", "key_2", "cd" * 32)
OWNER = Authority(frozenset({"generate", "keys"}))
CREATED = ApiKeyCreated(account="acme", key_id="key_1", key_sha256="ab" * 32, name="ci", scopes=("generate",))
REVOKED = ApiKeyRevoked(account="acme", key_id="key_1")
EXPIRING = CREATED.model_copy(update={"expires_at": NOW + 9 * DAY})


def given(*events: Event) -> Keys:
    keys = Keys()
    for event in events:
        keys = evolve(keys, event)
    return keys


def create(**more: Any) -> CreateKey:
    values: dict[str, Any] = {"account": "acme", "key": KEY, "name": "ci", "at": NOW}
    return CreateKey(**values | more)


def rotate(**more: Any) -> RotateKey:
    values: dict[str, Any] = {"account": "acme", "key": NEXT, "replaces": "key_1", "at": NOW, "overlap": DAY}
    return RotateKey(**values | more)


def test_creating_a_key_is_recorded_once() -> None:
    assert decide(create(), given()) == CREATED
    assert decide(create(), given(CREATED)) is None
    assert decide(create(), given(CREATED, REVOKED)) is None


def test_scopes_are_sorted_and_must_be_known() -> None:
    made = decide(create(scopes=("keys", "generate", "admin", "admin")), Keys())

    assert isinstance(made, ApiKeyCreated)
    assert made.scopes == ("admin", "generate", "keys")
    for scopes in ((), ("root",), ("admin", "HealthEndpoints")):
        with pytest.raises(UnknownScope, match="admin"):
            decide(create(scopes=scopes), Keys())


def test_key_may_expire_but_not_at_once() -> None:
    made = decide(create(expires_at=NOW + DAY), given())

    assert made == CREATED.model_copy(update={"expires_at": NOW + DAY})
    with pytest.raises(BadExpiry, match="over"):
        decide(create(expires_at=NOW), given())


def test_account_adds_and_removes_keys_itself() -> None:
    added = ApiKeyAdded(**CREATED.model_dump())

    assert decide(create(by=OWNER), given()) == added
    assert decide(create(by=OWNER), given(added)) is None
    removal = RevokeKey(account="acme", key_id="key_1", by=OWNER)
    assert decide(removal, given(added)) == ApiKeyRemoved(account="acme", key_id="key_1")
    assert decide(removal, given(CREATED)) == ApiKeyRemoved(account="acme", key_id="key_1")
    assert decide(removal, given(CREATED, REVOKED)) is None


def test_account_passes_on_no_more_than_it_has() -> None:
    for scopes in (("admin",), ("admin", "generate")):
        with pytest.raises(ExcessScope) as refused:
            decide(create(scopes=scopes, by=OWNER), given())
        assert refused.value.scope == "admin"
    admins = CREATED.model_copy(update={"scopes": ("admin",)})
    with pytest.raises(ExcessScope):
        decide(rotate(by=OWNER), given(admins))
    assert decide(rotate(), given(admins)) is not None


def test_key_that_expires_makes_only_keys_that_expire_before() -> None:
    by = Authority(frozenset({"generate", "keys"}), NOW + DAY)

    assert decide(create(by=by, expires_at=NOW + DAY), given()) is not None
    for expires_at in (None, NOW + 2 * DAY):
        with pytest.raises(ExpiryConflict, match="no later than itself"):
            decide(create(by=by, expires_at=expires_at), given())
        with pytest.raises(ExpiryConflict, match="no later than itself"):
            decide(rotate(by=by, expires_at=expires_at), given(CREATED))


def test_account_has_a_limited_number_of_keys_that_work() -> None:
    made = [CREATED.model_copy(update={"key_id": f"key_of_{number}"}) for number in range(MAX_KEYS)]
    gone = ApiKeyRevoked(account="acme", key_id="key_of_7")
    over = made[7].model_copy(update={"expires_at": NOW})

    with pytest.raises(TooManyKeys, match="100"):
        decide(create(by=OWNER), given(*made))
    assert decide(create(), given(*made)) is not None
    assert decide(create(by=OWNER), given(*made, gone)) is not None
    assert decide(create(by=OWNER), given(*made[:7], over, *made[8:])) is not None


def test_rotation_makes_a_key_with_the_same_name_and_scopes() -> None:
    replacing = {"key_id": "key_2", "key_sha256": "cd" * 32, "replaces": "key_1", "replaced_until": NOW + DAY}
    created = CREATED.model_copy(update=replacing)

    assert decide(rotate(), given(CREATED)) == created
    assert decide(rotate(by=OWNER), given(CREATED)) == ApiKeyAdded(**created.model_dump())
    assert decide(rotate(), given(CREATED, created)) is None


def test_replaced_key_works_until_the_overlap_is_over() -> None:
    for before, until in ((CREATED, NOW + DAY), (EXPIRING, NOW + DAY)):
        event = decide(rotate(expires_at=NOW + 90 * DAY), given(before))
        assert event is not None
        keys = given(before, event).known

        assert keys["key_1"].works(until - timedelta(seconds=1))
        assert not keys["key_1"].works(until)
        assert keys["key_2"].works(until)
    late = decide(rotate(overlap=20 * DAY, expires_at=NOW + 90 * DAY), given(EXPIRING))
    assert late is not None
    assert given(EXPIRING, late).known["key_1"].expires_at == EXPIRING.expires_at


@pytest.mark.parametrize(
    ("events", "more"),
    [
        ((CREATED,), {"overlap": timedelta(days=31)}),
        ((CREATED,), {"overlap": timedelta(seconds=-1)}),
        ((CREATED,), {"expires_at": NOW}),
    ],
)
def test_rotation_with_other_times_is_refused(events: tuple[Event, ...], more: dict[str, Any]) -> None:
    with pytest.raises(BadExpiry):
        decide(rotate(**more), given(*events))


def test_key_that_expires_is_replaced_by_one_that_expires() -> None:
    with pytest.raises(ExpiryConflict):
        decide(rotate(), given(EXPIRING))


@pytest.mark.parametrize(
    "events", [(), (CREATED, REVOKED), (CREATED.model_copy(update={"expires_at": NOW}),)]
)
def test_key_that_does_not_work_can_not_be_rotated(events: tuple[Event, ...]) -> None:
    with pytest.raises(UnknownKey):
        decide(rotate(), given(*events))


def test_revoking_a_key_is_recorded_once() -> None:
    command = RevokeKey(account="acme", key_id="key_1")

    assert decide(command, given(CREATED)) == REVOKED
    assert decide(command, given(CREATED, REVOKED)) is None
    with pytest.raises(UnknownKey):
        decide(command, given())


def test_use_is_recorded_once_a_day() -> None:
    used = ApiKeyUsed(account="acme", key_id="key_1", used_at=NOW)

    def use(at: datetime) -> RecordUse:
        return RecordUse(account="acme", key_id="key_1", at=at)

    assert decide(use(NOW), given(CREATED)) == used
    assert decide(use(NOW), given(CREATED, used)) is None
    assert decide(use(NOW + DAY - timedelta(seconds=1)), given(CREATED, used)) is None
    assert decide(use(NOW + DAY), given(CREATED, used)) == used.model_copy(update={"used_at": NOW + DAY})
    with pytest.raises(UnknownKey):
        decide(use(NOW), given())


def test_key_without_scopes_is_for_videos() -> None:
    assert given(CREATED.model_copy(update={"scopes": None})).known["key_1"].scopes == ("generate",)
