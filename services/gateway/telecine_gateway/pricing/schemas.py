"""Body of the price list."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from telecine_gateway.http.schemas import ResponseBody

__all__ = ["ModelBody", "PriceBody", "Pricing", "Quote"]


class PriceBody(ResponseBody):
    """What a resolution costs, in credits."""

    resolution: str
    short: Annotated[int, Field(description="Up to longAfter seconds")]
    long: Annotated[int, Field(description="Longer than longAfter seconds")]


class ModelBody(ResponseBody):
    """A model that may be requested."""

    name: str
    durations: tuple[int, int]
    resolutions: list[str]
    last_frame: bool
    camera_fixed: bool


class Quote(ResponseBody):
    """What the given parameters cost."""

    credits: int
    model: str
    resolution: str
    duration: int


class Pricing(ResponseBody):
    """The price table, the models, and a quote for the parameters of the request."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "version": "2026-11",
        "longAfter": 10,
        "prices": [{"resolution": "720p", "short": 50, "long": 75}],
        "defaultModel": "doubao-seedance-1-0-pro-250528",
        "models": [
            {
                "name": "doubao-seedance-1-0-pro-250528",
                "durations": [2, 12],
                "resolutions": ["480p", "720p", "1080p"],
                "lastFrame": True,
                "cameraFixed": True,
            }
        ],
        "quote": {
            "credits": 50,
            "model": "doubao-seedance-1-0-pro-250528",
            "resolution": "720p",
            "duration": 5,
        },
    }

    version: str
    long_after: Annotated[int, Field(description="Seconds")]
    prices: list[PriceBody]
    default_model: str
    models: list[ModelBody]
    quote: Quote
