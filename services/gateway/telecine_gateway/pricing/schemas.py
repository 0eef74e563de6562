"""Bodies of the price list and of quotes."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from telecine_gateway.http.schemas import ResponseBody, Timestamp

__all__ = [
    "FactorBody",
    "ModelBody",
    "NextTable",
    "PriceBody",
    "Pricing",
    "Quote",
    "QuoteBody",
    "RateBody",
]


class PriceBody(ResponseBody):
    """What a resolution costs with the default model, in credits."""

    resolution: str
    short: Annotated[int, Field(description="The model's shortest clip")]
    long: Annotated[
        int,
        Field(
            description="A clip of longAfter + 1 seconds; without longAfter, or beyond it, the longest clip"
        ),
    ]


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


class ConditionBody(ResponseBody):
    """When a rate or a factor applies; a condition that is left out always holds."""

    models: list[str] | None = None
    resolutions: list[str] | None = None
    audio: Annotated[bool | None, Field(description="With sound, or without")] = None
    input_video: Annotated[bool | None, Field(description="With a video as input, or without")] = None
    tier: Annotated[str | None, Field(description="default or flex")] = None
    longer_than: Annotated[int | None, Field(description="Clips of more seconds")] = None


class RateBody(ConditionBody):
    """Credits of a clip before the factors. The first rate that applies holds."""

    per_clip: float
    per_second: float


class FactorBody(ConditionBody):
    """Multiplies the credits. All that apply hold; the product is rounded up."""

    factor: float


class NextTable(ResponseBody):
    """The next table, published already."""

    version: str
    effective_from: Timestamp


class QuoteBody(ResponseBody):
    """A binding price."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "credits": 50,
        "table": "2026-12",
        "inputs": {
            "model": "doubao-seedance-1-0-pro-250528",
            "prompt": "A lighthouse in a storm, filmed from a boat",
            "resolution": "720p",
            "duration": 5,
            "watermark": False,
            "ratio": "16:9",
        },
        "quote": "c2lnbmVk…",
        "expiresAt": "2026-12-01T12:15:00.000Z",
    }

    credits: Annotated[int, Field(description="Whole credits that a request with this quote is charged")]
    table: Annotated[str, Field(description="Version of the price table")]
    inputs: Annotated[dict[str, Any], Field(description="The request with every default filled in")]
    quote: Annotated[str, Field(description="Token for the field quote of POST /api/video/generate")]
    expires_at: Annotated[Timestamp, Field(description="Until then it is binding")]


class Pricing(ResponseBody):
    """The price table, the models, and a quote for the parameters of the request."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "version": "2026-12",
        "effectiveFrom": "2026-12-01T00:00:00.000Z",
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
        "rates": [
            {
                "models": ["doubao-seedance-1-0-pro-250528"],
                "resolutions": ["720p"],
                "perClip": 50.0,
                "perSecond": 0.0,
            }
        ],
        "factors": [{"models": ["doubao-seedance-1-0-pro-250528"], "longerThan": 10, "factor": 1.5}],
        "next": None,
        "quote": {
            "credits": 50,
            "model": "doubao-seedance-1-0-pro-250528",
            "resolution": "720p",
            "duration": 5,
        },
    }

    version: str
    effective_from: Timestamp
    long_after: Annotated[int | None, Field(description="Seconds after which a factor applies, if one does")]
    prices: list[PriceBody]
    default_model: str
    models: list[ModelBody]
    rates: list[RateBody]
    factors: list[FactorBody]
    next: NextTable | None
    quote: Quote
