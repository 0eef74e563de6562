"""Content negotiation by the Accept header."""

import pytest

from telecine_gateway.http.negotiation import preferred_media_type


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ([], None),
        (["*/*"], None),
        (["text/csv"], "csv"),
        (["TEXT/CSV; q=0.5, text/html;q=0.9"], "html"),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], "html"),
        (["text/csv;q=0"], None),
        (["text/csv;q=x", "application/json"], "json"),
        (["application/json, text/csv"], "json"),
        ([";;;,,;q="], None),
    ],
)
def test_the_preferred_media_type_is_chosen(accept: list[str], form: str | None) -> None:
    offered = {"application/json": "json", "text/csv": "csv", "text/html": "html"}
    assert preferred_media_type(accept, offered) == form
