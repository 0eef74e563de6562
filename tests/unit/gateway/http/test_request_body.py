"""JSON request bodies: an object without duplicate fields."""

import pytest

from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.request_body import parse_json_object


def refusal(body: bytes) -> str:
    with pytest.raises(ApiError) as error:
        parse_json_object(body)
    assert error.value.status == 400
    return error.value.body.error


def test_an_object_is_read() -> None:
    assert parse_json_object(b'{"a": 1, "b": {"a": [2]}}') == {"a": 1, "b": {"a": [2]}}
    assert parse_json_object(b'{"a": %s}' % (b"9" * 4000)) == {"a": int("9" * 4000)}


@pytest.mark.parametrize(
    "body",
    [b'{"amount": 5, "amount": 500}', b'[{"amount": 5, "amount": 5}]', b'{"a": {"amount": 1, "amount": 2}}'],
)
def test_duplicate_fields_are_refused(body: bytes) -> None:
    assert refusal(body) == "amount is given twice"


def test_odd_field_name_is_not_repeated_in_the_error() -> None:
    assert refusal(b'{"<b>": 1, "<b>": 2}') == "a field is given twice"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 5000])
def test_invalid_json_is_refused(body: bytes) -> None:
    assert "not valid JSON" in refusal(body)
