"""Validates the body of a create request against the model. The caller reports one problem, as Ark does."""

from collections.abc import Iterator, Mapping
from typing import Any

from .content import Content, rule_problems
from .errors import Problem
from .video_models import FRAME_COUNTS, MAX_SEED, RATIOS, Model

Body = Mapping[str, Any]

FLAGS = ("return_last_frame", "generate_audio", "draft", "camera_fixed", "watermark")
MAX_SAFETY_IDENTIFIER = 64
MAX_EXPIRY = 259_200
MIN_EXPIRY = 3_600
PRIORITIES = range(10)


def without_nulls(value: Any) -> Any:
    """The body without null fields: the official SDK sends null for each field that is not set."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def missing_field(body: Body) -> Problem | None:
    """The problem of a missing or invalid required field."""
    for field in ("model", "content"):
        if field not in body:
            return Problem("MissingParameter", field, f"the request misses the parameter `{field}`")
    if not isinstance(body["model"], str) or not body["model"]:
        return _invalid("model")
    return None


def problems(body: Body, content: Content, model: Model) -> list[Problem]:
    """All problems of a body that has its required fields, in no particular order."""
    return [
        *content.problems,
        *rule_problems(content, model),
        *_inapplicable(body, content, model),
        *_flags(body),
        *_picture(body, content, model),
        *_length(body, model),
        *_draft(body),
        *_task_options(body, model),
    ]


def _invalid(field: str, why: str = "the value is not valid") -> Problem:
    return Problem("InvalidParameter", field, f"the parameter `{field}` specified in the request: {why}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _inapplicable(body: Body, content: Content, model: Model) -> Iterator[Problem]:
    takes = {
        "camera_fixed": model.camera_fixed,
        "service_tier": model.service_tier,
        "frames": model.frames,
        "draft": model.draft,
        "priority": model.priority,
        "tools": model.tools,
        "ratio": model.ratio_with_first_frame or content.task_type not in ("i2v", "flf2v"),
    }
    for field, taken in takes.items():
        if field in body and not taken:
            kind = content.task_type
            why = f"`{field}` is not supported for model {model.name} in {kind}, must be empty"
            yield Problem("InvalidParameter", field, f"the specified parameter {why}")


def _flags(body: Body) -> Iterator[Problem]:
    for field in FLAGS:
        if field in body and not isinstance(body[field], bool):
            yield _invalid(field, "must be true or false")


def _picture(body: Body, content: Content, model: Model) -> Iterator[Problem]:
    resolution = body.get("resolution", model.default_resolution)
    if not isinstance(resolution, str) or resolution.lower() not in model.resolutions:
        yield _invalid("resolution", f"must be one of {', '.join(model.resolutions)}")
    ratio = body.get("ratio", "16:9")
    if ratio not in (*RATIOS, "adaptive"):
        yield _invalid("ratio")
    elif ratio == "adaptive" and model.first_series and content.task_type == "t2v":
        yield _invalid("ratio", f"adaptive is not supported for model {model.name} in t2v")
    if body.get("output_format", "mp4") not in model.formats:
        yield _invalid("output_format", f"must be one of {', '.join(model.formats)}")


def _length(body: Body, model: Model) -> Iterator[Problem]:
    duration = body.get("duration", model.seconds[0])
    chosen = model.chooses_seconds and duration == -1
    if not _is_int(duration) or (duration not in model.seconds and not chosen):
        yield _invalid("duration", f"must be from {model.seconds[0]} to {model.seconds[-1]}")
    if model.frames and "frames" in body and not (_is_int(body["frames"]) and body["frames"] in FRAME_COUNTS):
        yield _invalid("frames", "must be 25 + 4n, from 29 to 289")
    seed = body.get("seed", -1)
    if not _is_int(seed) or not -1 <= seed <= MAX_SEED:
        yield _invalid("seed", f"must be from -1 to {MAX_SEED}")


def _draft(body: Body) -> Iterator[Problem]:
    if body.get("draft") is not True:
        return
    if str(body.get("resolution", "480p")).lower() != "480p":
        yield _invalid("resolution", "a draft is 480p")
    if body.get("return_last_frame"):
        yield _invalid("return_last_frame", "a draft has no last frame")
    if body.get("service_tier") == "flex":
        yield _invalid("service_tier", "a draft can't be flex")


def _task_options(body: Body, model: Model) -> Iterator[Problem]:
    if body.get("service_tier", "default") not in ("default", "flex"):
        yield _invalid("service_tier")
    shortest = MIN_EXPIRY if model.strict_expiry else 1
    expiry = body.get("execution_expires_after", MAX_EXPIRY)
    if not _is_int(expiry) or not shortest <= expiry <= MAX_EXPIRY:
        yield _invalid("execution_expires_after", f"must be from {shortest} to {MAX_EXPIRY}")
    if "priority" in body and not (_is_int(body["priority"]) and body["priority"] in PRIORITIES):
        yield _invalid("priority", "must be from 0 to 9")
    yield from _strings(body)
    yield from _tools(body)


def _strings(body: Body) -> Iterator[Problem]:
    callback = body.get("callback_url", "http://")
    if not isinstance(callback, str) or not callback.startswith(("http://", "https://")):
        yield _invalid("callback_url", "must be an http address")
    identifier = body.get("safety_identifier", "")
    if not isinstance(identifier, str) or len(identifier) > MAX_SAFETY_IDENTIFIER:
        yield _invalid("safety_identifier", f"must have at most {MAX_SAFETY_IDENTIFIER} characters")


def _tools(body: Body) -> Iterator[Problem]:
    tools = body.get("tools", [])
    known = isinstance(tools, list) and all(tool == {"type": "web_search"} for tool in tools)
    if not known:
        yield _invalid("tools", "must hold web_search only")
