"""What a client may ask for: every field checked against the model's table before any credit moves. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from telecine_contracts.characters import unfit
from telecine_contracts.gateway import Kind, VideoParameters
from telecine_contracts.video_models import MODELS, RATIOS, RESOLUTIONS, VideoModel, models_taking
from telecine_gateway.http.errors import InvalidField, InvalidRequest
from telecine_gateway.http.validation import whole_number

from .image_url import InvalidImageUrl, normalize_image_url
from .prompt_commands import find_prompt_command

__all__ = ["FIELDS", "RequestRules", "VideoRequest", "parse_request"]

FIELDS = (
    "prompt",
    "imageUrl",
    "lastFrameUrl",
    "resolution",
    "duration",
    "watermark",
    "cameraFixed",
    "ratio",
    "seed",
    "model",
)
PROMPT_OR_IMAGE_REQUIRED = "Either prompt or imageUrl is required"
"""What front ends of the seed know; other bad fields are named behind it."""
MAX_PROMPT = 2000
"""Characters."""
MAX_SEED = 2**32 - 1
DEFAULT_RESOLUTION = "720p"
DEFAULT_DURATION = 5
MAX_UNKNOWN_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What an installation offers: its models, and hosts (`host:port`) that pass though they are private."""

    models: tuple[str, ...]
    default_model: str
    private_image_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A request as understood: every value explicit."""

    kind: Kind
    parameters: VideoParameters


def parse_request(body: Mapping[str, Any], rules: RequestRules) -> VideoRequest:
    """The request that a JSON object makes. A null field counts as absent, and so does a blank text or URL.

    Raises InvalidRequest.
    """
    check = _Check(body, rules)
    parameters = check.parameters()
    if check.is_blank("prompt") and check.is_blank("imageUrl"):
        raise InvalidRequest.from_fields(check.bad, first=PROMPT_OR_IMAGE_REQUIRED)
    if check.bad:
        raise InvalidRequest.from_fields(check.bad)
    assert parameters is not None
    kind = Kind.IMAGE_TO_VIDEO if parameters.image_url else Kind.TEXT_TO_VIDEO
    return VideoRequest(kind, parameters)


@dataclass
class _Check:
    """Collects bad fields while values are read."""

    body: Mapping[str, Any]
    rules: RequestRules
    bad: list[InvalidField] = field(default_factory=list)

    def is_blank(self, name: str) -> bool:
        value = self.body.get(name)
        return value is None or (isinstance(value, str) and not value.strip())

    def refuse(self, name: str, message: str) -> None:
        self.bad.append(InvalidField(name, message))

    def parameters(self) -> VideoParameters | None:
        self._unknown()
        prompt, image, last_frame = self._prompt(), self._url("imageUrl"), self._url("lastFrameUrl")
        model = self._model()
        from_image = not self.is_blank("imageUrl")
        values = {
            "prompt": prompt,
            "image_url": image,
            "last_frame_url": self._last_frame(last_frame, model, from_image),
            "resolution": self._resolution(model),
            "duration": self._duration(model),
            "watermark": self._flag("watermark") or False,
            "camera_fixed": self._camera_fixed(model),
            "ratio": self._ratio(model, from_image),
            "seed": self._seed(),
        }
        return None if self.bad or model is None else VideoParameters(model=model.name, **values)

    def _unknown(self) -> None:
        unknown = [name for name in self.body if name not in FIELDS]
        for name in unknown[:MAX_UNKNOWN_SHOWN]:
            self.refuse(name[:64], "is not a field of this request")

    def _text(self, name: str) -> str | None:
        value = self.body.get(name)
        if self.is_blank(name):
            return None
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
            return None
        return value

    def _prompt(self) -> str | None:
        text = self._text("prompt")
        if text is None:
            return None
        if len(text) > MAX_PROMPT:
            self.refuse("prompt", f"must not be longer than {MAX_PROMPT} characters, but has {len(text)}")
        if (words := unfit(text, lines=True)) is not None:
            self.refuse("prompt", f"must not contain {words}")
        if (command := find_prompt_command(text)) is not None:
            self.refuse("prompt", f"must not contain the text command {command.text}: {command.remedy}")
        return text

    def _url(self, name: str) -> str | None:
        url = self._text(name)
        if url is None:
            return None
        try:
            return normalize_image_url(url, self.rules.private_image_hosts)
        except InvalidImageUrl as problem:
            self.refuse(name, str(problem))
            return None

    def _model(self) -> VideoModel | None:
        """None where the model is bad: then nothing that depends on it can be said."""
        value = self.body.get("model")
        if value is None:
            return MODELS[self.rules.default_model]
        if isinstance(value, str) and value in self.rules.models:
            return MODELS[value]
        self.refuse("model", f"must be one of {_listed(self.rules.models)}")
        return None

    def _last_frame(self, url: str | None, model: VideoModel | None, from_image: bool) -> str | None:
        if self.is_blank("lastFrameUrl"):
            return None
        if not from_image:
            self.refuse("lastFrameUrl", "needs an imageUrl for the first frame")
        if model is not None and not model.last_frame:
            self.refuse("lastFrameUrl", f"is not supported by {model.name}")
        return url

    def _resolution(self, model: VideoModel | None) -> str:
        offered = model.resolutions if model else RESOLUTIONS
        return self._choice("resolution", offered) or DEFAULT_RESOLUTION

    def _ratio(self, model: VideoModel | None, from_image: bool) -> str | None:
        offered = model.ratios(from_image=from_image) if model else (*RATIOS, "adaptive")
        if model and not offered and self.body.get("ratio") is not None:
            self.refuse("ratio", f"can't be chosen for {model.name} with an image: the image decides")
            return None
        default = model.default_ratio(from_image=from_image) if model else None
        return self._choice("ratio", offered) or default

    def _choice(self, name: str, offered: Sequence[str]) -> str | None:
        value = self.body.get(name)
        if value is None or (isinstance(value, str) and value in offered):
            return value
        self.refuse(name, f"must be one of {_listed(offered)}")
        return None

    def _duration(self, model: VideoModel | None) -> int | None:
        if self.body.get("duration") is None:
            return DEFAULT_DURATION
        seconds = whole_number(self.body["duration"])
        if seconds is None:
            self.refuse("duration", "must be a whole number of seconds")
        elif model is not None and not model.takes(seconds):
            self.refuse("duration", self._range(seconds, model))
        return seconds

    def _range(self, seconds: int, model: VideoModel) -> str:
        shortest, longest = model.durations
        text = f"must be from {shortest} to {longest} seconds for {model.name}"
        others = models_taking(seconds, self.rules.models)
        if others:
            return f"{text}; {seconds} seconds are taken by {_listed(others)}"
        return f"{text}; no configured model takes that duration"

    def _seed(self) -> int | None:
        if self.body.get("seed") is None:
            return None
        seed = whole_number(self.body["seed"])
        if seed is None or not -1 <= seed <= MAX_SEED:
            self.refuse("seed", f"must be a whole number from 0 to {MAX_SEED}, or -1 for any")
        return None if seed == -1 else seed

    def _flag(self, name: str) -> bool | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "must be true or false")
            return None
        return value

    def _camera_fixed(self, model: VideoModel | None) -> bool | None:
        fixed = self._flag("cameraFixed")
        if model is None or model.camera_fixed:
            return fixed
        if fixed:
            self.refuse("cameraFixed", f"is not supported by {model.name}")
        return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
