"""A repeated request is recognised by its body, also if an earlier version recorded its parameters."""

import hashlib
import json
from typing import Any

import pytest

from telecine_gateway.domain import Generation
from telecine_gateway.videos.idempotency import IdempotentRequest
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import RequestRules

PRO, PRO_15 = "doubao-seedance-1-0-pro-250528", "doubao-seedance-1-5-pro-251215"
IMAGE = "https://images.example.com/cat.jpg"


def digest(body: dict[str, Any]) -> str:
    return IdempotentRequest(body).digest


def earlier_digest(body: dict[str, Any], *, default_model: str) -> str:
    """As earlier versions computed it: of the parameters, with the defaults of that time."""
    parameters = GenerateBody.parse(body, RequestRules((PRO, PRO_15), default_model)).parameters
    values = parameters.model_dump(mode="json", exclude_none=True, exclude={"generate_audio"})
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_the_digest_is_of_what_was_sent() -> None:
    body = {"prompt": "x", "duration": 5, "seed": 7}

    assert digest(body) == digest({"seed": 7.0, "duration": 5.0, "prompt": "x", "ratio": None})
    assert digest(body) != digest(body | {"resolution": "720p"})
    assert digest(body) != digest(body | {"prompt": "y"})
    assert digest({"seed": 0}) != digest({"seed": False})
    assert digest({"prompt": ["x", {"y": 1.0}]}) == digest({"prompt": ["x", {"y": 1}]})


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a cat"},
        {"prompt": "a cat", "duration": 6.0, "seed": -1, "imageUrl": " ", "cameraFixed": None},
        {"prompt": "é", "imageUrl": IMAGE, "cameraFixed": True, "watermark": True, "seed": 5},
        {"imageUrl": IMAGE, "lastFrameUrl": IMAGE + "?2", "resolution": "1080p"},
        {"prompt": "a cat", "model": PRO_15, "ratio": "adaptive"},
    ],
)
@pytest.mark.parametrize("default_model", [PRO, PRO_15])
def test_requests_recorded_by_earlier_versions_are_recognised(
    body: dict[str, Any], default_model: str
) -> None:
    model = str(body.get("model", default_model))
    recorded = Generation(digest=earlier_digest(body, default_model=default_model), model=model)

    assert IdempotentRequest(body).matches(recorded)
    assert not IdempotentRequest(body | {"prompt": "a dog"}).matches(recorded)
    assert not IdempotentRequest(body | {"resolution": "480p"}).matches(recorded)
    assert not IdempotentRequest(body).matches(Generation())


def test_an_unknown_model_is_another_request() -> None:
    recorded = Generation(digest=earlier_digest({"prompt": "x"}, default_model=PRO), model=PRO)

    assert not IdempotentRequest({"prompt": "x", "model": "gpt"}).matches(recorded)
    assert not IdempotentRequest({"prompt": "x", "model": ["gpt"]}).matches(recorded)
