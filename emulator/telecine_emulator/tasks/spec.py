"""The resolved parameters of a task: body fields, prompt commands and defaults."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from telecine_emulator.api import prompt_commands
from telecine_emulator.api.content import Content, image_ratio
from telecine_emulator.api.video_models import (
    FRAME_RATE,
    MAX_SEED,
    RATIOS,
    Model,
    is_volcano,
    resolved_model_id,
)

DEFAULT_SECONDS = 5
DEFAULT_EXPIRY = 172_800


@dataclass(frozen=True)
class Spec:
    """Resolved parameters. Exactly one of `duration` (seconds) and `frames` is set."""

    model: str
    task_type: str
    prompt: str
    media: str
    """A digest of the media items; empty without any."""
    resolution: str
    ratio: str
    width: int
    height: int
    frame_count: int
    duration: int | None
    frames: int | None
    seed: int
    tokens: int
    watermark: bool
    return_last_frame: bool
    output_format: str
    generate_audio: bool
    execution_expires_after: int
    service_tier: str
    priority: int
    draft: bool = False
    draft_task: str | None = None
    safety_identifier: str | None = None
    tools: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValidatedRequest:
    """A valid request: the body without nulls, its content and its model."""

    body: Mapping[str, Any]
    content: Content
    model: Model
    commands_win: bool = False

    def values(self) -> dict[str, Any]:
        """Body fields merged with the prompt's commands; `commands_win` decides which override."""
        given = prompt_commands.read(prompt_commands.split(self.content.text)[1], self.model)
        if self.commands_win:
            return {**self.body, **given}
        frames_or_duration = {"frames", "duration"} & self.body.keys()
        over = {field for field in given if field in ("frames", "duration") and frames_or_duration}
        return {**{field: value for field, value in given.items() if field not in over}, **self.body}


def resolve(wanted: ValidatedRequest, random: Random) -> Spec:
    """The parameters of a valid request; `random` draws a seed if the request has none."""
    values, model, content = wanted.values(), wanted.model, wanted.content
    seed = values.get("seed", -1)
    seed = random.randint(0, MAX_SEED) if seed == -1 else seed
    frames = values.get("frames")
    duration = None if frames else _seconds(values.get("duration", DEFAULT_SECONDS), model, seed)
    draft = values.get("draft", False)
    resolution = values.get("resolution", "480p" if draft else model.default_resolution).lower()
    ratio = _ratio(values.get("ratio"), content, model)
    size = model.size(resolution, ratio)
    frame_count = frames or (duration or 0) * FRAME_RATE + 1
    return Spec(
        model=resolved_model_id(values["model"]),
        task_type=content.task_type,
        prompt=prompt_commands.split(content.text)[0],
        media=_media_digest(content),
        resolution=resolution,
        ratio=ratio,
        width=size[0],
        height=size[1],
        frame_count=frame_count,
        duration=duration,
        frames=frames,
        seed=seed,
        tokens=model.tokens(size, frame_count),
        watermark=values.get("watermark", False),
        return_last_frame=values.get("return_last_frame", False),
        output_format=values.get("output_format", "mp4"),
        generate_audio=values.get("generate_audio", model.makes_sound and is_volcano(values["model"])),
        execution_expires_after=values.get("execution_expires_after", DEFAULT_EXPIRY),
        service_tier=values.get("service_tier", "default"),
        priority=values.get("priority", 0),
        draft=draft,
        draft_task=content.draft_task,
        safety_identifier=values.get("safety_identifier"),
        tools=tuple(tool["type"] for tool in values.get("tools", ())),
    )


def _seconds(duration: int, model: Model, seed: int) -> int:
    """-1 lets the model choose; the emulator derives the choice from the seed, so that it is repeatable."""
    return model.seconds[seed % 5] if duration == -1 else duration


def _ratio(given: str | None, content: Content, model: Model) -> str:
    if given == "adaptive" or given is None:
        shape = image_ratio(content) or 16 / 9
        return min(RATIOS, key=lambda ratio: abs(_number(ratio) - shape))
    return given


def _number(ratio: str) -> float:
    width, height = ratio.split(":")
    return int(width) / int(height)


def _media_digest(content: Content) -> str:
    if not content.media:
        return ""
    listed = "\n".join(f"{role} {item.url}" for role, item in zip(content.roles, content.media, strict=True))
    return hashlib.sha256(listed.encode()).hexdigest()
