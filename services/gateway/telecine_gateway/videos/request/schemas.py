"""Body of a request for a video, and its JSON Schema, narrowed to what each model takes from which input. Pure."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from telecine_contracts.gateway import Kind, VideoParameters
from telecine_contracts.video_models import MODELS, Mode, VideoModel
from telecine_gateway.documentation.schemas import BLANK, LINES, NOT_BLANK, URL
from telecine_gateway.http.schemas import RequestBody
from telecine_gateway.http.validation import validate_body
from telecine_gateway.videos.request_rules import (
    MAX_CANCEL_AFTER,
    MAX_PRIORITY,
    MAX_PROMPT,
    MAX_QUOTE,
    MAX_SEED,
    MODEL_CHOOSES,
    RequestRules,
    check_camera_fixed,
    check_cancel_after,
    check_draft,
    check_duration,
    check_generate_audio,
    check_image_url,
    check_last_frame,
    check_model,
    check_priority,
    check_prompt,
    check_quote,
    check_ratio,
    check_references,
    check_resolution,
    check_return_last_frame,
    check_seed,
    check_service_tier,
    check_watermark,
    is_blank,
)

from .image_url import MAX_URL
from .references import MAX_REFERENCES, REFERENCE_TYPES

__all__ = ["GenerateBody", "ReferenceBody", "generate_schema"]

PROMPT_OR_IMAGE_REQUIRED = "Either prompt or imageUrl is required"
"""The seed's front ends know this sentence; other invalid fields are named behind it."""
_PLAIN_URL: dict[str, Any] = {"maxLength": MAX_URL, "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[!-\\[\\]-~]+$"}


class ReferenceBody(RequestBody):
    """A file that the video is to resemble or to use."""

    type: Literal["image", "video", "audio"]
    url: Annotated[str, Field(description="Public http(s) URL", json_schema_extra=_PLAIN_URL)]
    role: Annotated[
        Literal["reference_image", "reference_video", "reference_audio"] | None,
        Field(description="As the type says; there is one role for each type so far"),
    ] = None


class GenerateBody(RequestBody):
    """A request needs a prompt or an imageUrl; references need a prompt. A null counts as absent.

    What a model does not take is refused: see GET /api/models.
    """

    model_config = ConfigDict(validate_default=True)
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "text-to-video": {
            "prompt": "A lighthouse in a storm, filmed from a boat",
            "resolution": "720p",
            "duration": 5,
        },
        "image-to-video": {
            "prompt": "The cat turns its head",
            "imageUrl": "https://images.example.com/cat.jpg",
            "cameraFixed": True,
        },
        "references": {
            "model": "doubao-seedance-2-0-260128",
            "prompt": "The woman of the picture dances to the music",
            "references": [
                {"type": "image", "url": "https://media.example.com/woman.jpg"},
                {"type": "audio", "url": "https://media.example.com/waltz.mp3"},
            ],
            "generateAudio": True,
            "duration": 8,
        },
    }

    model: Annotated[
        str | None, BeforeValidator(check_model), Field(description="One of the installation's models")
    ] = None
    prompt: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_PROMPT, "pattern": LINES})] | None,
        BeforeValidator(check_prompt),
        Field(description="What the video shows; with an image, how it moves"),
    ] = None
    image_url: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_URL, "pattern": URL})] | None,
        BeforeValidator(check_image_url),
        Field(description="Public http(s) URL of the first frame"),
    ] = None
    last_frame_url: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_URL, "pattern": URL})] | None,
        BeforeValidator(check_last_frame),
        Field(description="Public http(s) URL of the last frame; needs imageUrl"),
    ] = None
    references: Annotated[
        Annotated[list[ReferenceBody], Field(json_schema_extra={"maxItems": MAX_REFERENCES})] | None,
        BeforeValidator(check_references),
        Field(description="Media beside the prompt, instead of frames; the model sets how many of each type"),
    ] = None
    draft: Annotated[
        bool | None, BeforeValidator(check_draft), Field(description="A cheap preview, where the model can")
    ] = None
    resolution: Annotated[
        Literal["480p", "720p", "1080p", "4k"] | None,
        BeforeValidator(check_resolution),
        Field(description="720p if absent, 480p for a draft"),
    ] = None
    duration: Annotated[
        int | None,
        BeforeValidator(check_duration),
        Field(
            description="Whole seconds; 5 if absent; the model sets the range. -1: the model chooses, where it can"
        ),
    ] = None
    watermark: Annotated[
        bool | None,
        BeforeValidator(check_watermark),
        Field(description="Mark the video as made by a machine"),
    ] = None
    camera_fixed: Annotated[
        bool | None,
        BeforeValidator(check_camera_fixed),
        Field(description="Keep the camera still, where the model can"),
    ] = None
    ratio: Annotated[
        str | None,
        BeforeValidator(check_ratio),
        Field(description="16:9, 4:3, 1:1, 3:4, 9:16, 21:9, or adaptive where the model can"),
    ] = None
    seed: Annotated[
        Annotated[int, Field(ge=-1, le=MAX_SEED)] | None,
        BeforeValidator(check_seed),
        Field(description="-1 for any"),
    ] = None
    generate_audio: Annotated[
        bool | None,
        BeforeValidator(check_generate_audio),
        Field(description="With sound, where the model can"),
    ] = None
    service_tier: Annotated[
        Literal["default", "flex"] | None,
        BeforeValidator(check_service_tier),
        Field(description="flex is the provider's offline queue: cheaper there, and it may take hours"),
    ] = None
    priority: Annotated[
        Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None,
        BeforeValidator(check_priority),
        Field(description="Among the operator's tasks at the provider; 9 comes first"),
    ] = None
    return_last_frame: Annotated[
        bool | None, BeforeValidator(check_return_last_frame), Field(description="Not offered yet: false")
    ] = None
    cancel_after: Annotated[
        Annotated[int, Field(ge=1, le=MAX_CANCEL_AFTER)] | None,
        BeforeValidator(check_cancel_after),
        Field(
            description="Seconds after which it is cancelled and refunded unless the provider has it by then"
        ),
    ] = None
    quote: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_QUOTE})] | None,
        BeforeValidator(check_quote),
        Field(description="From POST /api/quotes: the request is charged exactly what was quoted"),
    ] = None

    @classmethod
    def parse(cls, body: Mapping[str, Any], rules: RequestRules) -> "GenerateBody":
        """A JSON object as a request, with every default filled in. Raises InvalidRequest."""
        absent = is_blank(body.get("prompt")) and is_blank(body.get("imageUrl"))
        return validate_body(cls, body, context=rules, first=PROMPT_OR_IMAGE_REQUIRED if absent else "")

    @classmethod
    def unknown_field_message(cls) -> str:
        return "is not a field of this request"

    @property
    def kind(self) -> Kind:
        return Kind.IMAGE_TO_VIDEO if self.image_url or self.references else Kind.TEXT_TO_VIDEO

    @property
    def parameters(self) -> VideoParameters:
        """The resolved request, as the event records it; price and provider request are made from it alone."""
        values = self.model_dump(exclude={"quote", "cancel_after", "return_last_frame"})
        if self.duration == MODEL_CHOOSES:
            longest = MODELS[values["model"]].durations[1]
            values |= {"duration": longest, "duration_chosen_by_model": True}
        return VideoParameters(**values)


_INPUT_NAMES = {
    Mode.TEXT: "text",
    Mode.FIRST_FRAME: "image",
    Mode.FIRST_AND_LAST_FRAME: "two images",
    Mode.REFERENCES: "references",
}
_NOT_REQUESTED: dict[str, Any] = {"enum": [False, None]}
_NONE: dict[str, Any] = {"anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}]}


def generate_schema(rules: RequestRules) -> dict[str, Any]:
    """GenerateBody's JSON Schema with one variant for each model and input."""
    variants = [
        variant
        for name in rules.models
        for variant in _variants(MODELS[name], by_default=name == rules.default_model)
    ]
    return GenerateBody.model_json_schema() | {"anyOf": variants}


def _variants(model: VideoModel, *, by_default: bool) -> Iterator[dict[str, Any]]:
    for mode in model.modes:
        for draft in (False, True) if model.draft else (False,):
            inputs, needed = _inputs(model, mode)
            properties = {"model": {"enum": [model.name, *([None] if by_default else [])]}}
            properties |= _options(model, mode, draft=draft) | inputs
            yield {
                "title": f"{_INPUT_NAMES[mode]} to {'draft' if draft else 'video'} with {model.name}",
                "required": [*needed, *(["draft"] if draft else []), *([] if by_default else ["model"])],
                "properties": properties,
            }


def _inputs(model: VideoModel, mode: Mode) -> tuple[dict[str, Any], list[str]]:
    """The schemas of the fields that the generation starts from, and those that are required."""
    needed = {
        Mode.TEXT: ["prompt"],
        Mode.FIRST_FRAME: ["imageUrl"],
        Mode.FIRST_AND_LAST_FRAME: ["imageUrl", "lastFrameUrl"],
        Mode.REFERENCES: ["prompt", "references"],
    }[mode]
    schemas: dict[str, Any] = {"imageUrl": BLANK, "lastFrameUrl": BLANK, "references": _NONE}
    schemas |= dict.fromkeys(needed, NOT_BLANK)
    if mode is Mode.REFERENCES:
        schemas["references"] = _references(model)
    return schemas, needed


def _references(model: VideoModel) -> dict[str, Any]:
    limits = model.references
    assert limits is not None
    counts: list[dict[str, Any]] = [
        {"contains": _of_type(kind), "minContains": 0, "maxContains": limits.most(kind)}
        for kind in REFERENCE_TYPES
    ]
    if not limits.audio_alone:
        counts.append({"contains": {"properties": {"type": {"enum": ["image", "video"]}}}})
    return {"type": "array", "minItems": 1, "allOf": counts}


def _of_type(kind: str) -> dict[str, Any]:
    return {"properties": {"type": {"const": kind}}}


def _options(model: VideoModel, mode: Mode, *, draft: bool) -> dict[str, Any]:
    shortest, longest = model.durations
    seconds = {"type": ["integer", "null"], "minimum": shortest, "maximum": longest}
    schemas: dict[str, Any] = {
        "resolution": {"enum": [*model.resolutions_of(draft=draft), None]},
        "duration": {"anyOf": [seconds, {"const": MODEL_CHOOSES}]} if model.chooses_duration else seconds,
        "ratio": {"enum": [*model.ratios(mode), None]},
        "draft": {"const": True} if draft else _NOT_REQUESTED,
        "returnLastFrame": _NOT_REQUESTED,
    }
    if not model.camera_fixed:
        schemas["cameraFixed"] = _NOT_REQUESTED
    if not model.generate_audio:
        schemas["generateAudio"] = _NOT_REQUESTED
    if not model.flex or draft:
        schemas["serviceTier"] = {"enum": ["default", None]}
    if not model.priority:
        schemas["priority"] = {"enum": [0, None]}
    return schemas
