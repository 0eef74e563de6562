"""The bytes of an entry that its leaf is the hash of, for header lines of any form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from tests.support.audit.nats_ledger import small_ledger

from telecine_auditor.sources.message import StoredMessage, encode_headers
from telecine_contracts.transparency import entry_bytes

LEDGER = small_ledger(1).ledger
ODD = (
    b"",
    b"ce-id:x\r\n",
    b"ce-id:   x  \r\n",
    b"ce-id: one\r\nce-id: two\r\n",
    b"ce-id: one\r\nother: a\r\nce-id: two\r\n",
    b"no header at all\r\n",
    b"na me: x\r\n",
    b": no name\r\n",
    b"n\xc3\xa4me: x\r\n",
    b"name: \xff\xfe\r\n",
    b"name: a\nNats-Hidden: b\r\n",
    b"name: a\nNats-Hidden: b\r\nnats-msg-id: c\r\nNATS-X: d\r\n",
    b"ce-id: a\rb\r\n",
)


def stated(entry: StoredMessage) -> bytes:
    """What the contracts say, over the header as the client reads it."""
    return entry_bytes(entry.subject, Client._parse_header_lines(entry.head).items(), entry.body)


def of(head: bytes, body: bytes = b"{}") -> StoredMessage:
    return StoredMessage(1, 0, "ledger.ann.granted", head, body)


@pytest.mark.parametrize("entry", LEDGER, ids=lambda entry: entry.subject)
def test_canonical_headers_state_the_bytes_of_the_contract(entry: StoredMessage) -> None:
    assert entry.stated == stated(entry)
    assert b"Nats-Msg-Id" in entry.head
    assert b"Nats-" not in entry.stated


@pytest.mark.parametrize("head", ODD)
def test_unusual_header_forms_state_the_same_bytes(head: bytes) -> None:
    assert of(head).stated == stated(of(head))
    with_ours = of(LEDGER[0].head + head)
    assert with_ours.stated == stated(with_ours)


@given(st.binary(max_size=60).map(lambda noise: noise.replace(b"\r\n", b"")), st.integers(0, 400))
def test_malformed_header_lines_state_the_bytes_of_the_contract(noise: bytes, at: int) -> None:
    head = LEDGER[1].head
    entry = of(head[:at] + noise + head[at:])
    assert entry.stated == stated(entry)


def test_every_byte_of_subject_headers_and_body_is_stated() -> None:
    entry = LEDGER[1]
    others = {
        entry._replace(subject=f"{entry.subject}x").stated,
        entry._replace(body=entry.body + b" ").stated,
        entry._replace(head=entry.head.replace(b"ce-source", b"ce-Source")).stated,
        entry._replace(head=entry.head.replace(b"credits", b"Credits", 1)).stated,
        entry._replace(head=entry.head + b"more: x\r\n").stated,
    }
    assert len(others | {entry.stated}) == 6


def test_headers_that_the_server_adds_are_not_stated() -> None:
    entry = LEDGER[1]
    later = entry._replace(head=entry.head + b"Nats-Expected-Last-Sequence: 4\r\n", stored_at=7, sequence=9)
    assert later.stated == entry.stated


def test_header_names_are_case_insensitive_and_the_last_duplicate_counts() -> None:
    entry = of(b"CE-Type: a\r\nce-type:  b \r\nother\r\n")
    assert (entry.type, entry.header("Ce-TYPE"), entry.header("ce-id")) == ("b", "b", None)


def test_headers_are_encoded_from_a_dict() -> None:
    assert encode_headers({"a": "1", "b": "2"}) == b"a: 1\r\nb: 2\r\n"
    assert encode_headers(None) == b""
