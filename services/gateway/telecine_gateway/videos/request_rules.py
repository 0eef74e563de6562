"""Rules of a request for a video: what each field may be, checked before any credit moves. Pure.

`GenerateBody` runs these functions on its fields: each takes a field's value, None if it is absent, and returns the
value with defaults filled in, or raises PydanticCustomError. The validation's context is RequestRules. The model is the
first field; what depends on it is not checked where the model is invalid, since nothing can be said about it.

Whatever the provider would refuse for the model is refused here, and so is what would have no effect. A value that asks
for what happens anyway (false, the default tier, priority 0, no references) is accepted for every model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationInfo

from telecine_contracts.characters import unfit
from telecine_contracts.video_models import MODELS, RATIOS, RESOLUTIONS, Mode, VideoModel, models_taking
from telecine_gateway.http.validation import invalid_value, whole_number

from .request.image_url import InvalidImageUrl, normalize_image_url
from .request.prompt_commands import find_prompt_command
from .request.references import InvalidReferences, parse_references

__all__ = ["DEFAULT_DURATION", "DEFAULT_RESOLUTION", "RequestRules", "is_blank"]

MAX_PROMPT = 2000
"""Characters."""
MAX_SEED = 2**32 - 1
MAX_PRIORITY = 9
MODEL_CHOOSES = -1
"""As a duration: the model chooses the length."""
SERVICE_TIERS = ("default", "flex")
MAX_CANCEL_AFTER = 7 * 24 * 3600
"""Seconds."""
MAX_QUOTE = 2048
"""Characters of a quote's token."""
DEFAULT_RESOLUTION = "720p"
DEFAULT_DURATION = 5
"""Seconds."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What an installation offers: its models, and private hosts (`host:port`) that image URLs may name."""

    models: tuple[str, ...]
    default_model: str
    private_image_hosts: frozenset[str] = frozenset()


def is_blank(value: object) -> bool:
    """Whether a text counts as absent."""
    return value is None or (isinstance(value, str) and not value.strip())


def check_model(value: object, info: ValidationInfo) -> str:
    """The model's name, or the default's."""
    rules = _rules(info)
    if value is None:
        return rules.default_model
    if isinstance(value, str) and value in rules.models:
        return value
    raise invalid_value(f"must be one of {', '.join(rules.models)}")


def check_prompt(value: object) -> str | None:
    """The prompt; None if it is blank."""
    text = _text(value)
    if text is None:
        return None
    problems = []
    if len(text) > MAX_PROMPT:
        problems.append(f"must not be longer than {MAX_PROMPT} characters, but has {len(text)}")
    if (characters := unfit(text, lines=True)) is not None:
        problems.append(f"must not contain {characters}")
    if (command := find_prompt_command(text)) is not None:
        problems.append(f"must not contain the text command {command.text}: {command.remedy}")
    if problems:
        raise invalid_value(*problems)
    return text


def check_image_url(value: object, info: ValidationInfo) -> str | None:
    """The URL in its normal form; None if it is blank."""
    url = _text(value)
    if url is None:
        return None
    try:
        return normalize_image_url(url, _rules(info).private_image_hosts)
    except InvalidImageUrl as problem:
        raise invalid_value(str(problem)) from None


def check_last_frame(value: object, info: ValidationInfo) -> str | None:
    """The URL of the last frame: only beside a first frame, and only for models that take one."""
    if is_blank(value):
        return None
    problems, url = [], None
    try:
        url = normalize_image_url(value, _rules(info).private_image_hosts) if isinstance(value, str) else None
        if url is None:
            problems.append("must be a string")
    except InvalidImageUrl as problem:
        problems.append(str(problem))
    model = _model(info)
    if not _has_image(info):
        problems.append("needs an imageUrl for the first frame")
    if model is not None and not model.last_frame:
        problems.append(f"is not supported by {model.name}")
    if problems:
        raise invalid_value(*problems)
    return url


def check_references(value: object, info: ValidationInfo) -> list[dict[str, str]] | None:
    """Media that the model takes as references, instead of frames; None if there is none."""
    try:
        found, problems = parse_references(value, _model(info), _rules(info).private_image_hosts), []
    except InvalidReferences as error:
        found, problems = None, list(error.messages)
    if (found or problems) and _has_image(info):
        problems.append("can't be combined with imageUrl: frames and references exclude each other")
    if problems:
        raise invalid_value(*problems)
    return found


def check_draft(value: object, info: ValidationInfo) -> bool | None:
    """Whether to make a draft; None where the model makes none, or none is requested."""
    return _option(value, info, "draft") or None


def check_resolution(value: object, info: ValidationInfo) -> str:
    """One of the model's resolutions."""
    model, draft = _model(info), info.data.get("draft") is True
    offered = model.resolutions_of(draft=draft) if model else RESOLUTIONS
    chosen = _choice(value, offered)
    return chosen or (offered[0] if draft and model else DEFAULT_RESOLUTION)


def check_duration(value: object, info: ValidationInfo) -> int:
    """Whole seconds that the model takes, or MODEL_CHOOSES."""
    if value is None:
        return DEFAULT_DURATION
    seconds, model = whole_number(value), _model(info)
    if seconds is None:
        raise invalid_value("must be a whole number of seconds")
    if seconds == MODEL_CHOOSES and (model is None or model.chooses_duration):
        return seconds
    if model is not None and not model.takes(seconds):
        raise invalid_value(_range(seconds, model, _rules(info)))
    return seconds


def check_ratio(value: object, info: ValidationInfo) -> str | None:
    """One of the ratios that the model takes for the inputs, or its default."""
    model, mode = _model(info), _mode(info)
    if model is None:
        return _choice(value, (*RATIOS, "adaptive"))
    offered = model.ratios(mode)
    if not offered and value is not None:
        raise invalid_value(f"can't be chosen for {model.name} with an image: the image decides")
    return _choice(value, offered) or model.default_ratio(mode)


def check_seed(value: object) -> int | None:
    """A seed; None for any."""
    if value is None:
        return None
    seed = whole_number(value)
    if seed is None or not -1 <= seed <= MAX_SEED:
        raise invalid_value(f"must be a whole number from 0 to {MAX_SEED}, or -1 for any")
    return None if seed == -1 else seed


def check_quote(value: object) -> str | None:
    """The token of a quote; None if it is blank."""
    text = _text(value)
    if text is not None and len(text) > MAX_QUOTE:
        raise invalid_value(f"must not be longer than {MAX_QUOTE} characters, but has {len(text)}")
    return text


def check_cancel_after(value: object) -> int | None:
    """Seconds; None for never."""
    if value is None:
        return None
    seconds = whole_number(value)
    if seconds is None or not 1 <= seconds <= MAX_CANCEL_AFTER:
        raise invalid_value(f"must be a whole number of seconds from 1 to {MAX_CANCEL_AFTER}")
    return seconds


def check_watermark(value: object) -> bool:
    """Whether to mark the video."""
    return _flag(value) or False


def check_camera_fixed(value: object, info: ValidationInfo) -> bool | None:
    """Whether to keep the camera still; None where the model has no such choice."""
    return _option(value, info, "camera_fixed")


def check_generate_audio(value: object, info: ValidationInfo) -> bool | None:
    """Whether the video has sound; None where the model makes none."""
    wanted, model = _option(value, info, "generate_audio"), _model(info)
    return bool(wanted) if model is not None and model.generate_audio else None


def check_service_tier(value: object, info: ValidationInfo) -> str | None:
    """``flex`` for the provider's offline tier; None for the default one."""
    tier, model = _choice(value, SERVICE_TIERS), _model(info)
    if tier != "flex":
        return None
    problems = []
    if model is not None and not model.flex:
        problems.append(f"flex is not supported by {model.name}")
    if info.data.get("draft") is True:
        problems.append("flex is not supported for a draft")
    if problems:
        raise invalid_value(*problems)
    return tier


def check_priority(value: object, info: ValidationInfo) -> int | None:
    """A priority from 0 to 9; None where the model has none."""
    if value is None:
        return None
    priority, model = whole_number(value), _model(info)
    if priority is None or not 0 <= priority <= MAX_PRIORITY:
        raise invalid_value(f"must be a whole number from 0 to {MAX_PRIORITY}")
    if model is None or model.priority:
        return priority
    if priority:
        raise invalid_value(f"is not supported by {model.name}")
    return None


def check_return_last_frame(value: object) -> None:
    """Not offered: telecine does not store last frames."""
    if _flag(value):
        raise invalid_value("is not offered: telecine stores videos, but not their last frames")


def _option(value: object, info: ValidationInfo, name: str) -> bool | None:
    """A flag that only some models have: `name` is VideoModel's attribute."""
    wanted, model = _flag(value), _model(info)
    if model is None or getattr(model, name):
        return wanted
    if wanted:
        raise invalid_value(f"is not supported by {model.name}")
    return None


def _rules(info: ValidationInfo) -> RequestRules:
    assert isinstance(info.context, RequestRules)
    return info.context


def _model(info: ValidationInfo) -> VideoModel | None:
    """The model; None where it is invalid."""
    return MODELS.get(info.data.get("model", ""))


def _has_image(info: ValidationInfo) -> bool:
    """Whether there is a first frame; an invalid URL counts as one, and is reported by itself."""
    return info.data.get("image_url", "") is not None


def _mode(info: ValidationInfo) -> Mode:
    """What the generation starts from; an invalid field counts as present, and is reported by itself."""
    if _has_image(info):
        has_last = info.data.get("last_frame_url", "") is not None
        return Mode.FIRST_AND_LAST_FRAME if has_last else Mode.FIRST_FRAME
    return Mode.TEXT if info.data.get("references", "") is None else Mode.REFERENCES


def _text(value: object) -> str | None:
    if is_blank(value):
        return None
    if not isinstance(value, str):
        raise invalid_value("must be a string")
    return value


def _choice(value: Any, offered: Sequence[str]) -> str | None:
    if value is None or (isinstance(value, str) and value in offered):
        return value
    raise invalid_value(f"must be one of {', '.join(offered)}")


def _flag(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise invalid_value("must be true or false")
    return value


def _range(seconds: int, model: VideoModel, rules: RequestRules) -> str:
    shortest, longest = model.durations
    text = f"must be from {shortest} to {longest} seconds for {model.name}"
    others = models_taking(seconds, rules.models)
    if others:
        return f"{text}; {seconds} seconds are taken by {', '.join(others)}"
    return f"{text}; no configured model takes that duration"
