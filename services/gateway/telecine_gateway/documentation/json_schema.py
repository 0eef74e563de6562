"""JSON Schemas of texts and of the generate body: as exact as JSON Schema can be about what is taken. Pure.

What it cannot say is left to validation alone: that a cursor was given out, that a host is public, that a time lies in
the future, that no text command is in a prompt.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from telecine_contracts.video_models import MODELS, VideoModel

__all__ = ["LINES", "NAME", "ONE_LINE", "REQUIRED", "SCHEMA", "URL", "generate_schema"]

REQUIRED = "x-required"
"""In the schema of a parameter that the route itself requires, with an error of its own."""
SCHEMA = "x-schema"
"""In the schema of a parameter that validation reads as a text: the schema that the document shows instead."""

_BLANKS = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_OVERRIDES = "\u202a-\u202e"
ONE_LINE = f"^[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""A text without control characters and overrides of direction."""
LINES = f"^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""The same with tabs and line ends."""
_INNER = f"[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
_EDGE = f"[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
NAME = f"^{_EDGE}({_INNER}*{_EDGE})?$"
"""A text of one line that neither is empty nor begins or ends with a blank."""
URL = f"^[{_BLANKS}\\t\\r\\n]*$|^[Hh][Tt][Tt][Pp][Ss]?://[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f\\\\]+$"
"""An absolute http(s) URL, or nothing but blanks."""
_NOT_BLANK = {"type": "string", "pattern": f"[^{_BLANKS}\\t\\r\\n]"}
_BLANK = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": f"^[{_BLANKS}\\t\\r\\n]*$"}]}


def generate_schema(body: type[BaseModel], models: tuple[str, ...], default_model: str) -> Mapping[str, Any]:
    """`body`'s schema, narrowed to what each of the models takes from a text and from an image."""
    variants = [
        variant for name in models for variant in _variants(MODELS[name], by_default=name == default_model)
    ]
    return body.model_json_schema() | {"anyOf": variants}


def _variants(model: VideoModel, *, by_default: bool) -> Iterator[dict[str, Any]]:
    for from_image in (False, True):
        shortest, longest = model.durations
        properties: dict[str, Any] = {
            "model": {"enum": [model.name, *([None] if by_default else [])]},
            "resolution": {"enum": [*model.resolutions, None]},
            "duration": {"type": ["integer", "null"], "minimum": shortest, "maximum": longest},
            "ratio": {"enum": [*model.ratios(from_image=from_image), None]},
        }
        if not model.camera_fixed:
            properties["cameraFixed"] = {"enum": [False, None]}
        if not (from_image and model.last_frame):
            properties["lastFrameUrl"] = _BLANK
        needed = "imageUrl" if from_image else "prompt"
        properties |= {needed: _NOT_BLANK} if from_image else {needed: _NOT_BLANK, "imageUrl": _BLANK}
        yield {
            "title": f"{'image' if from_image else 'text'} to video with {model.name}",
            "required": [needed, *([] if by_default else ["model"])],
            "properties": properties,
        }
