"""Body of the list of models."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from telecine_contracts.video_models import Mode
from telecine_gateway.http.schemas import ResponseBody

__all__ = ["ModePrices", "ModeRatios", "Model", "ModelList", "PriceRange", "ReferenceCounts", "Seconds"]


class Seconds(ResponseBody):
    """The lengths of a clip, in whole seconds."""

    shortest: int
    longest: int
    default: int
    chosen_by_model: Annotated[
        bool,
        Field(
            description="Whether the model can choose (-1): the longest is held, the actual length charged"
        ),
    ]


class ModeRatios(ResponseBody):
    """The aspect ratios that may be requested in one mode."""

    mode: Mode
    ratios: Annotated[list[str], Field(description="Empty: the image decides, and no ratio may be requested")]
    default: str | None


class ReferenceCounts(ResponseBody):
    """The most references of a request, by type."""

    images: int
    videos: int
    audio: int
    audio_alone: Annotated[bool, Field(description="Whether audio needs no image or video beside it")]


class PriceRange(ResponseBody):
    """The price of every clip from `shortest` to `longest` seconds, both included."""

    shortest: int
    longest: int
    credits: int


class ModePrices(ResponseBody):
    """Prices of one combination by length; a combination or a length that is not listed is not sold."""

    resolution: str
    generate_audio: bool
    input_video: Annotated[bool, Field(description="Whether a video is among the references")]
    service_tier: Literal["default", "flex"]
    seconds: list[PriceRange]


class Model(ResponseBody):
    """What a model takes. A field that does not apply to it is refused, with 400."""

    name: str
    modes: Annotated[list[Mode], Field(description="What a request may have beside its prompt")]
    resolutions: Annotated[list[str], Field(description="Those that are sold")]
    seconds: Seconds
    ratios: list[ModeRatios]
    references: Annotated[ReferenceCounts | None, Field(description="Null: it takes none")]
    generate_audio: Annotated[bool, Field(description="Whether it can make sound")]
    camera_fixed: Annotated[bool, Field(description="Whether it can keep the camera still")]
    draft: Annotated[bool, Field(description="Whether it makes drafts: 480p, in the default tier")]
    service_tiers: list[Literal["default", "flex"]]
    priorities: Annotated[list[int] | None, Field(description="The least and the most; null: it has none")]
    prices: list[ModePrices]


class ModelList(ResponseBody):
    """The models that this installation offers, and their prices now."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "defaultModel": "doubao-seedance-1-0-pro-250528",
        "priceTable": "2026-12",
        "models": [
            {
                "name": "doubao-seedance-1-0-pro-250528",
                "modes": ["text", "first-frame", "first-and-last-frame"],
                "resolutions": ["720p"],
                "seconds": {"shortest": 2, "longest": 12, "default": 5, "chosenByModel": False},
                "ratios": [
                    {
                        "mode": "text",
                        "ratios": ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"],
                        "default": "16:9",
                    }
                ],
                "references": None,
                "generateAudio": False,
                "cameraFixed": True,
                "draft": False,
                "serviceTiers": ["default", "flex"],
                "priorities": None,
                "prices": [
                    {
                        "resolution": "720p",
                        "generateAudio": False,
                        "inputVideo": False,
                        "serviceTier": "default",
                        "seconds": [
                            {"shortest": 2, "longest": 10, "credits": 50},
                            {"shortest": 11, "longest": 12, "credits": 75},
                        ],
                    }
                ],
            }
        ],
    }

    default_model: str
    price_table: Annotated[str, Field(description="Version of the price table in force")]
    models: list[Model]
