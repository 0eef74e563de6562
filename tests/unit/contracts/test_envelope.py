"""The envelope travels in headers and comes back whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts import BadEnvelope, Envelope, derive_id
from telecine_contracts.credits import CreditsDebited
from telecine_contracts.examples import envelope, example

ENVELOPE = envelope(example(CreditsDebited))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TIMES = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30))])
)
ENVELOPES = st.builds(
    Envelope,
    id=TEXT,
    source=TEXT,
    type=TEXT,
    time=TIMES,
    subject=TEXT,
    correlation=TEXT,
    causation=TEXT,
    traceparent=st.none() | TEXT.filter(bool),
)


@given(ENVELOPES)
def test_what_is_sent_is_received(sent: Envelope) -> None:
    assert Envelope.from_headers(sent.to_headers()) == sent


NAMES = list(ENVELOPE.to_headers())


@given(ENVELOPES)
def test_lines_are_the_headers_as_on_the_wire(sent: Envelope) -> None:
    assert (
        sent.to_lines()
        == "".join(f"{name}: {value}\r\n" for name, value in sent.to_headers().items()).encode()
    )


@given(
    ENVELOPES.map(Envelope.to_headers),
    st.dictionaries(
        st.sampled_from([*NAMES, "Ce-Time", "Nats-Expected-Stream", "x"]), st.sampled_from(["", "a", "%41"])
    ),
    st.sets(st.sampled_from(NAMES)),
)
def test_lines_are_read_as_the_headers_that_they_are(
    sent: dict[str, str], changed: dict[str, str], missing: set[str]
) -> None:
    headers = {name: value for name, value in (sent | changed).items() if name not in missing}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    read = Envelope.from_lines(lines)
    assert read is None or read == Envelope.from_headers(headers)


def test_usual_lines_are_read() -> None:
    for sent in (ENVELOPE, replace(ENVELOPE, traceparent=None), replace(ENVELOPE, informational=True)):
        headers = sent.to_headers() | {"Nats-Expected-Stream": "LEDGER"}
        assert Envelope.from_lines("".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode()) == sent


def test_a_second_line_of_a_name_is_not_overlooked() -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in ENVELOPE.to_headers().items())
    for name in ENVELOPE.to_headers():
        assert name.startswith("Nats-") or Envelope.from_lines(f"{lines}{name}: other\r\n".encode()) is None


@given(ENVELOPES)
def test_header_values_are_printable_ascii_without_what_clients_trim_or_split_at(sent: Envelope) -> None:
    for value in sent.to_headers().values():
        assert all("!" <= character <= "~" for character in value)
        assert '"' not in value


def test_the_message_id_is_the_event_id() -> None:
    assert ENVELOPE.to_headers()["Nats-Msg-Id"] == ENVELOPE.id


def test_header_names_are_read_in_any_case() -> None:
    shouted = {name.upper(): value for name, value in ENVELOPE.to_headers().items()}
    assert Envelope.from_headers(shouted) == ENVELOPE


@pytest.mark.parametrize("name", ["ce-id", "ce-source", "ce-type", "ce-time"])
def test_a_missing_attribute_is_named(name: str) -> None:
    headers = {known: value for known, value in ENVELOPE.to_headers().items() if known != name}
    with pytest.raises(BadEnvelope, match=name):
        Envelope.from_headers(headers)


@pytest.mark.parametrize("headers", [None, {}])
def test_a_message_without_headers_is_no_event(headers: dict[str, str] | None) -> None:
    with pytest.raises(BadEnvelope):
        Envelope.from_headers(headers)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-23T10:00:00", "2026-11-23", "1763892000"])
def test_a_time_needs_a_zone(time: str) -> None:
    with pytest.raises(BadEnvelope, match="ce-time"):
        Envelope.from_headers(ENVELOPE.to_headers() | {"ce-time": time})


@given(st.dictionaries(st.sampled_from([*ENVELOPE.to_headers(), "x"]), TEXT))
def test_no_headers_raise_anything_but_bad_envelope(headers: dict[str, str]) -> None:
    try:
        Envelope.from_headers(headers)
    except BadEnvelope:
        return


def test_what_is_optional_is_filled_in_from_the_id() -> None:
    headers = {name: ENVELOPE.to_headers()[name] for name in ("ce-id", "ce-source", "ce-type", "ce-time")}
    assert Envelope.from_headers(headers) == replace(
        ENVELOPE, subject="", correlation=ENVELOPE.id, causation=ENVELOPE.id, traceparent=None
    )


def test_the_same_cause_gives_the_same_id() -> None:
    assert derive_id("request-1", "credits.debited.v1") == "8d12cfd2-45ad-59b5-bf2b-401f5f5ccc32"


@given(TEXT, TEXT, TEXT, TEXT)
def test_other_causes_and_names_give_other_ids(cause: str, name: str, cause_2: str, name_2: str) -> None:
    same = f"{cause}\n{name}" == f"{cause_2}\n{name_2}"
    assert (derive_id(cause, name) == derive_id(cause_2, name_2)) is same


def test_an_envelope_is_dated_as_it_was_written() -> None:
    assert ENVELOPE.time == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
