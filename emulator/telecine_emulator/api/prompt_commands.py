"""Text commands in a prompt, such as `--duration 4`; values that the model does not support are ignored."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from .video_models import FRAME_COUNTS, MAX_SEED, RATIOS, Model

FIELD_OF_COMMAND = {
    "resolution": "resolution",
    "rs": "resolution",
    "ratio": "ratio",
    "rt": "ratio",
    "duration": "duration",
    "dur": "duration",
    "frames": "frames",
    "framespersecond": "framespersecond",
    "fps": "framespersecond",
    "seed": "seed",
    "camerafixed": "camera_fixed",
    "cf": "camera_fixed",
    "watermark": "watermark",
    "wm": "watermark",
}
COMMAND = re.compile(rf"\s*--({'|'.join(FIELD_OF_COMMAND)})[ =]+(\S+)")


def split(text: str) -> tuple[str, dict[str, str]]:
    """The prompt without its commands, and the last value given for each field."""
    values = {FIELD_OF_COMMAND[name]: value for name, value in COMMAND.findall(text)}
    return COMMAND.sub("", text).strip(), values


def read(values: Mapping[str, str], model: Model) -> dict[str, Any]:
    """The values that the model supports; Ark ignores the others silently."""
    read_one = {field: READERS[field](value, model) for field, value in values.items() if field in READERS}
    return {field: value for field, value in read_one.items() if value is not None}


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"-?\d{1,10}", value) else None


def _flag(value: str) -> bool | None:
    return {"true": True, "false": False}.get(value.lower())


def _resolution(value: str, model: Model) -> str | None:
    return value.lower() if value.lower() in model.resolutions else None


def _ratio(value: str, model: Model) -> str | None:
    return value if value in (*RATIOS, "adaptive") else None


def _duration(value: str, model: Model) -> int | None:
    number = _number(value)
    return number if number in model.seconds or (number == -1 and model.chooses_seconds) else None


def _frames(value: str, model: Model) -> int | None:
    number = _number(value)
    return number if model.frames and number in FRAME_COUNTS else None


def _seed(value: str, model: Model) -> int | None:
    number = _number(value)
    return number if number is not None and -1 <= number <= MAX_SEED else None


def _camera_fixed(value: str, model: Model) -> bool | None:
    return _flag(value) if model.camera_fixed else None


def _watermark(value: str, model: Model) -> bool | None:
    return _flag(value)


READERS: dict[str, Callable[[str, Model], Any]] = {
    "resolution": _resolution,
    "ratio": _ratio,
    "duration": _duration,
    "frames": _frames,
    "seed": _seed,
    "camera_fixed": _camera_fixed,
    "watermark": _watermark,
}
