"""The AsyncAPI document holds together: every reference leads somewhere, every event can be received."""

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from telecine_contracts import EVENTS, subjects
from telecine_contracts.asyncapi import document
from telecine_contracts.streams import CONSUMERS, STREAMS
from telecine_contracts.version import __version__

DOCUMENT = document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(target := part.get("$ref"), str):
            yield target
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def follow(reference: str) -> Any:
    found = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_server_requires_an_nkey_and_a_private_inbox() -> None:
    [needed] = DOCUMENT["servers"]["nats"]["security"]
    scheme = follow(needed["$ref"])
    assert scheme["type"] == "asymmetricEncryption"
    assert "_INBOX.NAME" in scheme["description"]


def test_document_is_reproducible_json_of_this_version() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == json.loads(json.dumps(document()))
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == __version__


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > len(EVENTS)
    for reference in found:
        assert follow(reference), reference


def test_an_event_can_be_received_from_its_subject() -> None:
    for event in EVENTS:
        operation = DOCUMENT["operations"][f"receive.{event.type}"]
        channel = follow(operation["channel"]["$ref"])
        assert operation["action"] == "receive"
        assert channel["x-jetstream"] == {"stream": event.stream, "filterSubject": subjects.of_type(event)}
        assert channel["messages"][event.type] == {"$ref": f"#/components/messages/{event.type}"}
        assert set(channel["parameters"]) == {
            name.strip("{}") for name in channel["address"].split(".") if name.startswith("{")
        }
        for parameter in channel["parameters"].values():
            field = parameter["location"].removeprefix("$message.payload#/")
            assert field in event.model_fields


def test_the_example_of_a_message_is_as_its_schemas_say() -> None:
    for event in EVENTS:
        message = DOCUMENT["components"]["messages"][event.type]
        whole = {"components": DOCUMENT["components"]}
        for part in ("headers", "payload"):
            judge = Draft202012Validator(whole | message[part], format_checker=FormatChecker())
            judge.validate(message["examples"][0][part])
        assert message["name"] == event.type


def test_headers_that_name_another_event_are_refused() -> None:
    message = DOCUMENT["components"]["messages"]["credits.debited.v1"]
    judge = Draft202012Validator({"components": DOCUMENT["components"]} | message["headers"])
    headers = message["examples"][0]["headers"]
    assert not judge.is_valid(headers | {"ce-type": "credits.settled.v1"})
    assert not judge.is_valid({name: value for name, value in headers.items() if name != "ce-id"})


def test_streams_and_consumers_are_described() -> None:
    described = DOCUMENT["x-jetstream"]
    assert set(described["streams"]) == {stream.name for stream in STREAMS}
    assert set(described["consumers"]) == {consumer.name for consumer in CONSUMERS}
    assert described["streams"]["LEDGER"]["denyDelete"] is True
