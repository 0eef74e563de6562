"""The published schemas say what is written, and no change breaks who reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from telecine_contracts import EVENTS, registry
from telecine_contracts.__main__ import main
from telecine_contracts.event_page import page
from telecine_contracts.publishing import broken, export, files
from telecine_contracts.schemas import schema

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "contracts"
RELEASED = CONTRACTS / "schemas" / "released"
GOLDEN = ROOT / "tests" / "contract" / "golden"
EXPORT = "run `python -m telecine_contracts export contracts` and look at the diff"


def test_committed_files_are_the_generated_ones() -> None:
    for name in files():
        path = CONTRACTS / name
        assert path.exists(), f"{name} is missing: {EXPORT}"
        assert path.read_text(encoding="utf-8") == files()[name], f"{name} is out of date: {EXPORT}"


def test_no_schema_is_left_of_an_event_that_is_gone() -> None:
    assert {f"schemas/{path.name}" for path in (CONTRACTS / "schemas").glob("*.json")} == set(files()) - {
        "asyncapi.json"
    }, EXPORT


def test_the_page_of_events_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert committed == page(), "run `python -m telecine_contracts docs docs/events.md`"


def test_no_change_breaks_a_released_event() -> None:
    for event in EVENTS:
        found = broken(RELEASED, event.type, schema(event))
        assert not found, "\n".join(
            [*found, "Make a new version of the event, with an upcast from the old one."]
        )


def test_every_released_event_can_still_be_read() -> None:
    for path in sorted(RELEASED.glob("*.json")):
        assert path.stem in registry(), (
            f"{path.stem} was released: bring it back, or upcast it to its newer version"
        )


def test_golden_bytes_are_as_the_schema_says() -> None:
    for path in sorted(GOLDEN.glob("*.json")):
        name = ".".join(path.name.split(".")[:3])
        committed = CONTRACTS / "schemas" / f"{name}.json"
        described = json.loads(
            (committed if committed.exists() else RELEASED / f"{name}.json").read_text("utf-8")
        )
        Draft202012Validator(described, format_checker=FormatChecker()).validate(
            json.loads(path.read_bytes())
        )


def test_schemas_are_valid_and_explain_every_field() -> None:
    for event in EVENTS:
        described = schema(event)
        Draft202012Validator.check_schema(described)
        assert described["$id"] == f"urn:telecine:event:{event.type}"
        for part in [described, *described.get("$defs", {}).values()]:
            assert part["description"]
            for name, field in part.get("properties", {}).items():
                assert field.get("description"), f"{part['title']}.{name} needs Field(description=…)"


def test_a_schema_refuses_what_the_model_refuses() -> None:
    debited = schema(registry()["credits.debited.v1"])
    body: dict[str, Any] = debited["examples"][0]
    judge = Draft202012Validator(debited)
    assert judge.is_valid(body | {"a_field_of_a_newer_producer": 1})
    assert not judge.is_valid(body | {"amount": 0})
    assert not judge.is_valid(body | {"amount": "50"})
    assert not judge.is_valid({name: value for name, value in body.items() if name != "balances"})


def test_export_is_the_same_every_time_and_removes_what_is_gone(tmp_path: Path) -> None:
    export(tmp_path)
    (tmp_path / "schemas" / "credits.forgotten.v1.json").write_text("{}")
    export(tmp_path)
    found = {str(path.relative_to(tmp_path)): path.read_text("utf-8") for path in tmp_path.rglob("*.json")}
    assert found == files()


def test_a_release_is_refused_when_it_breaks_the_last_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", str(tmp_path)]) == 0
    path = tmp_path / "schemas" / "released" / "credits.settled.v1.json"
    described = json.loads(path.read_text("utf-8"))
    described["properties"]["note"] = {"type": "string"}
    path.write_text(json.dumps(described))
    assert main(["release", str(tmp_path)]) == 1
    assert "credits.settled.v1: body.note was removed" in capsys.readouterr().err
