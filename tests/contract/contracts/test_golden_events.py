"""Every event version that was ever written stays readable: its bytes are kept in tests/contract/golden."""

import json
from pathlib import Path

from telecine_contracts import EVENTS, Envelope, encode, registry
from telecine_contracts.examples import EXAMPLES, envelope, example
from telecine_contracts.publishing import write_examples

GOLDEN = Path(__file__).parents[1] / "golden"
HEADERS = Path(__file__).parents[1] / "golden_headers.json"
FILES = sorted(GOLDEN.glob("*.json"))


def event_name(path: Path) -> str:
    """`credits.debited.v1.json`, or `credits.debited.v1.what-is-special.json`, holds a credits.debited.v1."""
    return ".".join(path.name.split(".")[:3])


def test_golden_bytes_decode() -> None:
    for path in FILES:
        registry().decode(event_name(path), path.read_bytes())


def test_golden_bytes_of_a_current_version_encode_to_the_same_bytes() -> None:
    for path in FILES:
        name = event_name(path)
        decoded = registry().decode(name, path.read_bytes())
        if decoded.type == name:  # else it was read as a newer version, which has golden bytes of its own
            assert encode(decoded) == path.read_bytes(), (
                f"{path.name}: these bytes were written; never change them"
            )


def test_every_event_has_golden_bytes() -> None:
    for event in EVENTS:
        path = GOLDEN / f"{event.type}.json"
        assert path.exists(), (
            f"{event.type} has no golden bytes: add an example to telecine_contracts/examples.py and run "
            "`python -m telecine_contracts examples tests/contract/golden`"
        )
        assert registry().decode(event.type, path.read_bytes()) == example(event), (
            f"the example of {event.type} is no longer what {path.name} holds: change the example back, or rename the "
            f"file to {event.type}.<what is special>.json and run the examples command to record the new one beside it"
        )


def test_there_is_one_example_an_event() -> None:
    assert sorted(known.type for known in EXAMPLES) == sorted(event.type for event in EVENTS)


def test_examples_never_overwrite_golden_bytes(tmp_path: Path) -> None:
    kept = tmp_path / f"{EVENTS[0].type}.json"
    kept.write_bytes(b"recorded earlier")
    written = write_examples(tmp_path)
    assert kept.read_bytes() == b"recorded earlier"
    assert len(written) == len(EVENTS) - 1


def test_golden_headers() -> None:
    headers = json.loads(HEADERS.read_text(encoding="utf-8"))
    unusual = Envelope.from_headers(headers["unusual"])
    assert unusual.correlation == "50 % of “all” café ☕ "
    assert unusual.to_headers() == headers["unusual"]
    first = next(event for event in EXAMPLES if event.type == "credits.debited.v1")
    assert envelope(first).to_headers() == headers["usual"]
    assert Envelope.from_headers(headers["usual"]) == envelope(first)
