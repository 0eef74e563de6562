"""Header lines are parsed as nats-py parses them."""

import pytest
from nats.aio.client import Client

from telecine_jetstream.messages import parse_headers


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"ce-id: 1\r\nce-type: a.b.v1\r\n",
        b"a:1\r\nA:  2 \r\na:3\r\nnot a header\r\n",
        "name: é雨\r\né: x\r\n".encode(),
        b"two words: x\r\nempty:\r\ncolon: a:b\r\n",
        b"broken: \xff\xfe\r\n",
    ],
)
def test_headers_equal_those_of_nats_py(lines: bytes) -> None:
    assert parse_headers(lines) == Client._parse_header_lines(lines)
