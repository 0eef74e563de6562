"""Every kind of change that a reader would trip over is found; the one allowed change is not."""

from copy import deepcopy
from typing import Any

import pytest

from telecine_contracts import EVENTS
from telecine_contracts.compatibility import breaks
from telecine_contracts.schemas import schema

OLD: dict[str, Any] = {
    "$id": "urn:telecine:event:lamp.lit.v1",
    "title": "LampLit",
    "description": "A lamp was lit.",
    "type": "object",
    "properties": {
        "lamp": {"type": "string", "pattern": "^[a-z]+$"},
        "watts": {"type": "integer", "minimum": 1},
        "colour": {"$ref": "#/$defs/Colour", "description": "What it looks like"},
        "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
        "note": {"type": "string"},
        "dimmed": {"type": "boolean", "default": False},
    },
    "required": ["lamp", "watts", "colour"],
    "$defs": {
        "Colour": {"type": "string", "enum": ["red", "white"]},
        "Place": {
            "type": "object",
            "properties": {"room": {"type": "string"}, "title": {"type": "string"}},
            "required": ["room"],
        },
    },
}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """OLD with one value replaced, or removed where `to` is None."""
    new = deepcopy(OLD)
    *way, last = path
    inside = new
    for step in way:
        inside = inside[step]
    if to is None:
        del inside[last]
    else:
        inside[last] = to
    return new


def test_the_same_schema_breaks_nothing() -> None:
    assert breaks(OLD, deepcopy(OLD)) == []


@pytest.mark.parametrize(
    "new",
    [
        changed("properties", "height", to={"type": "number"}),
        changed("$defs", "Place", "properties", "floor", to={"type": "integer"}),
        changed("description", to="A lamp was lit."),
        changed("title", to="Lit"),
        changed("examples", to=[{"lamp": "a"}]),
        changed("properties", "colour", "description", to="Its colour"),
    ],
    ids=["optional field", "optional field of a part", "description", "title", "examples", "meaning"],
)
def test_new_optional_fields_and_other_words_are_allowed(new: dict[str, Any]) -> None:
    assert breaks(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (changed("properties", "note", to=None), "body.note was removed"),
        (changed("$defs", "Place", "properties", "title", to=None), "body.places[].title was removed"),
        (
            changed("required", to=["lamp", "watts", "colour", "note"]),
            "body.note was optional and is required",
        ),
        (changed("required", to=["lamp", "watts"]), "body.colour was required and is optional"),
        (
            changed("$defs", "Place", "required", to=["room", "title"]),
            "body.places[].title was optional and is required",
        ),
        (
            changed("properties", "watts", "type", to="string"),
            "body.watts: type was 'integer' and is 'string'",
        ),
        (changed("properties", "watts", "minimum", to=2), "body.watts: minimum was 1 and is 2"),
        (
            changed("properties", "watts", "maximum", to=100),
            "body.watts: maximum was 'absent' and is 100",
        ),
        (changed("properties", "watts", "minimum", to=None), "body.watts: minimum was 1 and is 'absent'"),
        (
            changed("properties", "lamp", "pattern", to="^[a-c]+$"),
            "body.lamp: pattern was '^[a-z]+$' and is '^[a-c]+$'",
        ),
        (
            changed("$defs", "Colour", "enum", to=["red"]),
            "body.colour: value 'white' was removed",
        ),
        (
            changed("$defs", "Colour", "enum", to=["red", "white", "blue"]),
            "body.colour: value 'blue' was added to a closed list",
        ),
        (
            changed("properties", "dimmed", "default", to=True),
            "body.dimmed: default was False and is True",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_breaking_change_is_found(new: dict[str, Any], found: str) -> None:
    assert found in breaks(OLD, new)


def test_a_new_required_field_is_found() -> None:
    new = changed("properties", "height", to={"type": "number"})
    new["required"] = [*OLD["required"], "height"]
    assert breaks(OLD, new) == ["body.height is new and required"]


def test_an_enum_that_becomes_any_string_is_found() -> None:
    new = changed("$defs", "Colour", to={"type": "string"})
    assert breaks(OLD, new) == [
        "body.colour: value 'red' was removed",
        "body.colour: value 'white' was removed",
    ]


def test_removing_any_field_of_any_event_is_found() -> None:
    for event in EVENTS:
        old = schema(event)
        for name in old["properties"]:
            new = deepcopy(old)
            del new["properties"][name]
            assert f"body.{name} was removed" in breaks(old, new)
