"""A submission to the provider, and its variants."""

from dataclasses import replace
from typing import Any

from telecine_contracts.gateway import VideoParameters
from telecine_generation.provider.port import SubmitRequest

MODEL = "doubao-seedance-1-0-pro-250528"


def submit_request(*, seed: int = 42, safety_identifier: str = "mark-1", **parameters: Any) -> SubmitRequest:
    """A text-to-video submission with these parameters."""
    wanted = {
        "model": MODEL,
        "prompt": "a lighthouse at dusk",
        "resolution": "720p",
        "ratio": "16:9",
        "duration": 5,
    }
    return SubmitRequest(
        model=MODEL,
        parameters=VideoParameters.model_validate(wanted | parameters),
        seed=seed,
        safety_identifier=safety_identifier,
        callback_url=None,
        expires_after=None,
    )


def with_parameters(request: SubmitRequest, **changes: Any) -> SubmitRequest:
    """The same submission with other parameters."""
    return replace(request, parameters=request.parameters.model_copy(update=changes))
