"""From bytes to events and back: what is refused, and how old versions are read."""

import json
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from telecine_contracts import EVENTS, BadEvent, Event, Registry, UnknownEvent, encode, registry
from telecine_contracts.credits import CreditsDebited
from telecine_contracts.examples import example

NAMES = [event.type for event in EVENTS]


class LampLit(Event):
    """The newest version: power in milliwatts, and a room."""

    type: ClassVar[str] = "lamp.lit.v3"
    milliwatts: Annotated[int, Field(ge=1)]
    room: str
    note: str | None = None


def with_milliwatts(body: dict[str, Any]) -> dict[str, Any]:
    """v1 said watts; v2 says milliwatts."""
    return {"milliwatts": body["watts"] * 1000}


def with_a_room(body: dict[str, Any]) -> dict[str, Any]:
    """v2 knew no rooms; v3 does."""
    return body | {"room": "unknown"}


def lamps() -> Registry:
    read = Registry([LampLit])
    read.upcast("lamp.lit.v2", "lamp.lit.v3", with_a_room)
    read.upcast("lamp.lit.v1", "lamp.lit.v2", with_milliwatts)
    return read


def test_two_events_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two events are called credits\.debited\.v1"):
        Registry([CreditsDebited, CreditsDebited])


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(UnknownEvent, match=r"credits\.lent\.v1"):
        registry().decode("credits.lent.v1", b"{}")
    assert "credits.lent.v1" not in registry()
    assert "credits.debited.v1" in registry()


def test_every_event_survives_encode_and_decode() -> None:
    for event in EVENTS:
        known = example(event)
        assert registry().decode(event.type, encode(known)) == known


def test_a_field_of_a_newer_producer_is_ignored() -> None:
    for event in EVENTS:
        body = json.loads(encode(example(event))) | {"not_known_here": {"deep": [1]}}
        assert registry().decode(event.type, json.dumps(body).encode()) == example(event)


def test_a_missing_field_is_named() -> None:
    for event in EVENTS:
        body = json.loads(encode(example(event)))
        first = next(iter(body))
        del body[first]
        with pytest.raises(BadEvent, match=f"{event.type}: {first}"):
            registry().decode(event.type, json.dumps(body).encode())


def test_a_bad_body_does_not_show_its_content() -> None:
    body = json.loads(encode(example(CreditsDebited))) | {"amount": "a secret"}
    with pytest.raises(BadEvent) as problem:
        registry().decode("credits.debited.v1", json.dumps(body).encode())
    assert "secret" not in str(problem.value)


def test_postings_that_do_not_sum_to_zero_are_bad() -> None:
    body = json.loads(encode(example(CreditsDebited)))
    body["postings"][0]["amount"] += 1
    with pytest.raises(BadEvent):
        registry().decode("credits.debited.v1", json.dumps(body).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from([*NAMES, "lamp.lit.v9", ""]), st.binary() | JSON.map(lambda v: json.dumps(v).encode()))
def test_no_body_raises_anything_but_what_is_documented(name: str, body: bytes) -> None:
    try:
        registry().decode(name, body)
    except (BadEvent, UnknownEvent):
        return


@given(st.sampled_from(EVENTS), st.data())
def test_no_changed_field_raises_anything_but_what_is_documented(
    event: type[Event], data: st.DataObject
) -> None:
    body = json.loads(encode(example(event)))
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(JSON)
    try:
        decoded = registry().decode(event.type, json.dumps(body).encode())
    except BadEvent:
        return
    assert registry().decode(event.type, encode(decoded)) == decoded


def test_an_old_version_is_read_as_the_newest() -> None:
    newest = LampLit(milliwatts=60_000, room="unknown")
    assert lamps().decode("lamp.lit.v1", b'{"watts":60}') == newest
    assert lamps().decode("lamp.lit.v2", b'{"milliwatts":60000}') == newest
    assert lamps().decode("lamp.lit.v3", encode(newest)) == newest
    assert all(f"lamp.lit.v{version}" in lamps() for version in (1, 2, 3))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"null", b'"x"', b"{}", b'{"watts":null}', b'{"watts":"many"}', b'{"watts":0}'],
)
def test_an_old_body_that_does_not_fit_is_bad(body: bytes) -> None:
    with pytest.raises(BadEvent, match=r"lamp\.lit\.v"):
        lamps().decode("lamp.lit.v1", body)


@given(
    st.sampled_from(["lamp.lit.v1", "lamp.lit.v2"]), st.binary() | JSON.map(lambda v: json.dumps(v).encode())
)
def test_no_old_body_raises_anything_but_bad_event(name: str, body: bytes) -> None:
    try:
        lamps().decode(name, body)
    except BadEvent:
        return


def test_an_upcast_must_target_a_registered_version() -> None:
    with pytest.raises(ValueError, match="not registered"):
        lamps().upcast("lamp.lit.v0", "lamp.lit.v4", dict)


@pytest.mark.parametrize("old", ["lamp.lit.v3", "lamp.lit.v2"])
def test_a_type_is_registered_once(old: str) -> None:
    with pytest.raises(ValueError, match="is registered already"):
        lamps().upcast(old, "lamp.lit.v3", dict)


def test_none_fields_are_omitted() -> None:
    assert encode(LampLit(milliwatts=1, room="hall")) == b'{"milliwatts":1,"room":"hall"}'
