"""The tree that checkpoints are computed over is that of RFC 6962, and its leaves say all that an event says."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_contracts import BadEnvelope
from telecine_contracts.transparency import EMPTY_ROOT, Frontier, entry_bytes, is_stated, leaf_hash, node_hash

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves that Certificate Transparency's own tests use, and below the roots over the first n of them."""
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HEADERS = [("Nats-Msg-Id", "e1"), ("ce-id", "e1"), ("ce-type", "credits.granted.v1"), ("nats-later", "x")]


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    match len(leaves):
        case 0:
            return sha256().digest()
        case 1:
            return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    return frontier


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert grown(LEAVES[:size]).root().hex() == ROOTS[size]
    assert root_of(LEAVES[:size]).hex() == ROOTS[size]


def test_an_empty_tree_has_the_root_of_the_rfc() -> None:
    assert Frontier().root() == EMPTY_ROOT == sha256(b"").digest()


def test_leaf_and_node_hashes_are_domain_separated() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.lists(st.binary(max_size=8), max_size=300))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert grown(leaves).root() == root_of(leaves)


@given(st.lists(st.binary(max_size=4), max_size=100), st.lists(st.binary(max_size=4), max_size=100))
def test_a_tree_goes_on_from_its_peaks(first: list[bytes], then: list[bytes]) -> None:
    kept = grown(first)
    later = Frontier(kept.size, kept.peaks)
    for leaf in then:
        later.append(leaf_hash(leaf))
    assert later.size == len(first) + len(then)
    assert later.root() == root_of(first + then)
    assert kept.root() == root_of(first)


@pytest.mark.parametrize(
    ("size", "peaks"),
    [(0, [b"x" * 32]), (3, [b"x" * 32]), (4, []), (-1, [b"x" * 32]), (1, [b"short"]), (1, [b"x" * 33])],
)
def test_peaks_that_no_such_tree_has_are_refused(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="peak"):
        Frontier(size, peaks)


def test_the_bytes_of_an_entry() -> None:
    stated = entry_bytes("ledger.a.granted", HEADERS, b'{"amount":5}')
    assert stated == b'ledger.a.granted\r\nce-id: e1\r\nce-type: credits.granted.v1\r\n\r\n{"amount":5}'
    assert leaf_hash(stated).hex() == "c5478426fa2e3aa590859724640ef6629a033f6a8ca26a8d683972faae6383ea"


def test_an_entry_without_headers_or_body() -> None:
    assert entry_bytes("ledger.a.granted", [], b"") == b"ledger.a.granted\r\n\r\n"


@pytest.mark.parametrize("name", ["Nats-Msg-Id", "nats-expected-last-subject-sequence", "NATS-X"])
def test_the_transport_s_headers_are_left_out(name: str) -> None:
    assert not is_stated(name)


@pytest.mark.parametrize("name", ["ce-id", "content-type", "traceparent", "Natsy", "x-nats-y"])
def test_other_headers_are_hashed(name: str) -> None:
    assert is_stated(name)


@pytest.mark.parametrize(
    ("subject", "headers", "body"),
    [
        ("ledger.b.granted", HEADERS, b"{}"),
        ("ledger.a.granted", [*HEADERS, ("x", "y")], b"{}"),
        ("ledger.a.granted", HEADERS[:2], b"{}"),
        ("ledger.a.granted", list(reversed(HEADERS)), b"{}"),
        ("ledger.a.granted", [(name.upper(), value) for name, value in HEADERS], b"{}"),
        ("ledger.a.granted", HEADERS, b"{} "),
        ("ledger.a.granted", [], b"ce-id: e1\r\nce-type: credits.granted.v1\r\n\r\n{}"),
    ],
)
def test_any_change_changes_the_entry_bytes(
    subject: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    assert entry_bytes(subject, headers, body) != entry_bytes("ledger.a.granted", HEADERS, b"{}")


@pytest.mark.parametrize(
    ("subject", "headers"),
    [
        ("ledger.a\r\nce-id: e1", []),
        ("ledger.a", [("ce-id", "e1\r\nce-type: x")]),
        ("ledger.a", [("ce-id: e1\r\nce-type", "x")]),
        ("ledger.a", [("ce-id", "e1\r\n")]),
    ],
)
def test_a_line_break_in_a_header_is_refused(subject: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(BadEnvelope, match="line break"):
        entry_bytes(subject, headers, b"")


LINE = st.text(st.sampled_from("a: \r\n"), max_size=4).filter(lambda text: "\r\n" not in text)
PARSED = st.lists(st.tuples(LINE.map(lambda name: name.replace(":", "")), LINE), max_size=4)


@given(PARSED, PARSED, st.binary(max_size=4), st.binary(max_size=4))
def test_two_entries_never_have_the_same_bytes(
    one: list[tuple[str, str]], other: list[tuple[str, str]], body: bytes, other_body: bytes
) -> None:
    first, second = entry_bytes("s", one, body), entry_bytes("s", other, other_body)
    assert (first == second) == ((one, body) == (other, other_body))
