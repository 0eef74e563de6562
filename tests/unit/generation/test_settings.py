"""Settings of the generation service: the places of each model."""

from typing import Any

import pytest
from pydantic import ValidationError

from telecine_contracts.video_models import DEFAULT_MODEL
from telecine_generation.settings import Settings

OTHER = "doubao-seedance-2-0-260128"


def limits(text: str) -> dict[str, int]:
    own: dict[str, Any] = {
        "nats_url": "nats://127.0.0.1:4222",
        "provider_api_key": "a key of the tests 4hJ8sK2mQx",
    }
    return Settings(**own, provider_limits=text).provider_limits


def test_places_are_read_as_a_list_or_as_json() -> None:
    assert limits(f"{DEFAULT_MODEL}=10, {OTHER}=3") == {DEFAULT_MODEL: 10, OTHER: 3}
    assert limits(f'{{"{OTHER}": 3}}') == {OTHER: 3}
    assert limits("") == limits("{}") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-model=3", "there is no model 'no-model'"),
        (f"{OTHER}=0", "must have a limit of 1 or more"),
        (f"{OTHER}=many", "is not MODEL=NUMBER"),
        (OTHER, "is not MODEL=NUMBER"),
    ],
)
def test_wrong_places_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        limits(text)
