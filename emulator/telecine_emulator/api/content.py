"""The content items of a create request: their form, their roles, and the resulting task type."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from telecine_emulator.media import image_size

from .errors import Problem
from .video_models import Model

MEDIA = ("image_url", "video_url", "audio_url")
ROLES = {
    "image_url": ("first_frame", "last_frame", "reference_image"),
    "video_url": ("reference_video",),
    "audio_url": ("reference_audio",),
}
FORMATS = {
    "image_url": ("jpeg", "jpg", "png", "webp", "bmp", "tiff", "gif"),
    "video_url": (),
    "audio_url": ("wav", "mp3", "mpeg"),
}
DATA_URL = re.compile(r"data:(?:image|audio)/([^;,]*);base64,(.*)", re.DOTALL)
MAX_IMAGE_BYTES = 30 * 1024 * 1024


@dataclass(frozen=True)
class Item:
    """One media item; `role` is None if the request has none."""

    kind: str
    role: str | None
    url: str
    index: int


@dataclass(frozen=True)
class Content:
    """The valid items, and the problems of the others."""

    text: str
    media: tuple[Item, ...]
    draft_task: str | None
    problems: tuple[Problem, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """The role of each item, or the default of its kind."""
        return tuple(item.role or ROLES[item.kind][0] for item in self.media)

    @property
    def images(self) -> tuple[Item, ...]:
        return tuple(item for item in self.media if item.kind == "image_url")

    @property
    def task_type(self) -> str:
        """t2v, i2v, flf2v or r2v, depending on the roles."""
        if any(role.startswith("reference_") for role in self.roles):
            return "r2v"
        if "last_frame" in self.roles:
            return "flf2v"
        return "i2v" if "first_frame" in self.roles else "t2v"


def read(items: Any) -> Content:
    """Parses the `content` field of a body without nulls."""
    if not isinstance(items, list) or not items:
        problem = Problem("InvalidParameter", "content", "content must be an array of at least one item")
        return Content("", (), None, (problem,))
    texts, media, drafts, problems = [], [], [], []
    for index, item in enumerate(items):
        match _read_item(item, index):
            case Problem() as problem:
                problems.append(problem)
            case Item() as one:
                media.append(one)
            case ("text", text):
                texts.append(text)
            case (_, task_id):
                drafts.append(task_id)
    return Content("\n".join(texts), tuple(media), drafts[0] if drafts else None, tuple(problems))


def _read_item(item: Any, index: int) -> Problem | Item | tuple[str, str]:
    where = f"content[{index}]"
    kind = item.get("type") if isinstance(item, Mapping) else None
    if kind == "text":
        return _text_of(item, f"{where}.text")
    if kind == "draft_task":
        return _inner(item, kind, "id", where)
    if kind not in MEDIA:
        return Problem("InvalidParameter", f"{where}.type", f"invalid content type at {where}")
    inner = _inner(item, kind, "url", where)
    return inner if isinstance(inner, Problem) else _media_item(item, inner[1], index)


def _text_of(item: Mapping[str, Any], where: str) -> Problem | tuple[str, str]:
    text = item.get("text")
    if isinstance(text, str) and text.strip():
        return "text", text
    return Problem("InvalidParameter", where, f"{where} must be a text that isn't empty")


def _inner(item: Mapping[str, Any], kind: str, key: str, where: str) -> Problem | tuple[str, str]:
    """The string in `{kind: {key: …}}`; a plain string instead of the object is invalid."""
    payload = item.get(kind)
    value = payload.get(key) if isinstance(payload, Mapping) else None
    if isinstance(value, str):
        return kind, value
    return Problem("InvalidParameter", f"{where}.{kind}", f"{where}.{kind} must be an object with a {key}")


def _media_item(item: Mapping[str, Any], url: str, index: int) -> Problem | Item:
    kind, role = item["type"], item.get("role")
    where = f"content[{index}]"
    noun = kind.removesuffix("_url")
    if role is not None and role not in ROLES[kind]:
        return Problem("InvalidParameter", f"{where}.role", f"invalid role specified for {noun} content")
    problem = _url_problem(kind, url, f"{where}.{kind}.url")
    return problem or Item(kind, role, url, index)


def _url_problem(kind: str, url: str, where: str) -> Problem | None:
    noun = "Image" if kind == "image_url" else kind.removesuffix("_url").capitalize()
    if not url.strip():
        return Problem(f"Invalid{noun}URL.EmptyURL", where, f"{where} is empty")
    if re.match(r"https?://[^/\s]+|asset://\S+", url):
        return None
    bad = Problem(f"Invalid{noun}URL.InvalidFormat", where, f"{where} is not a valid address or data")
    embedded = DATA_URL.fullmatch(url)
    if not embedded or embedded[1] not in FORMATS[kind]:
        return bad
    try:
        data = base64.b64decode(embedded[2], validate=True)
    except binascii.Error:
        return bad
    return _image_problem(data, where) if kind == "image_url" else None


def _image_problem(data: bytes, where: str) -> Problem | None:
    if not data or len(data) >= MAX_IMAGE_BYTES:
        return Problem("InvalidParameter", where, f"{where} must be an image of less than 30 MB")
    size = image_size.of(data)
    if size is None:
        # A format whose header is not read here, such as tiff, is accepted without a check of its size.
        return None
    width, height = size
    if not (300 < width < 6000 and 300 < height < 6000):
        return Problem("InvalidParameter", where, f"{where}: sides must be between 300 and 6000 pixels")
    if not 0.4 < width / height < 2.5:
        return Problem("InvalidParameter", where, f"{where}: width / height must be between 0.4 and 2.5")
    return None


def image_ratio(content: Content) -> float | None:
    """Width divided by height of the first image, if the request embeds it."""
    if not content.images:
        return None
    embedded = DATA_URL.fullmatch(content.images[0].url)
    size = image_size.of(base64.b64decode(embedded[2])) if embedded else None
    return size[0] / size[1] if size else None


def rule_problems(content: Content, model: Model) -> Iterator[Problem]:
    """Problems of the items taken together: roles, combinations, and the model's capabilities."""
    if content.problems:
        return
    if not content.text and not content.media and not content.draft_task:
        yield Problem("InvalidParameter", "content", "content holds neither text nor media")
    yield from _role_problems(content)
    yield from _mixture_problems(content)
    yield from _model_problems(content, model)


def _role_problems(content: Content) -> Iterator[Problem]:
    if len(content.images) > 1 and any(image.role is None for image in content.images):
        yield Problem("InvalidParameter", "content", "role must be specified for image contents")
    for role, noun in (("first_frame", "first"), ("last_frame", "last")):
        given = [image for image in content.images if image.role == role]
        if len(given) > 1:
            message = f"expected at most one {noun} frame image content but got {len(given)} instead"
            yield Problem("InvalidParameter", "content", message)


def _mixture_problems(content: Content) -> Iterator[Problem]:
    references = [role for role in content.roles if role.startswith("reference_")]
    if "last_frame" in content.roles and "first_frame" not in content.roles:
        message = "last frame image content cannot be mixed with first frame or reference image content"
        yield Problem("InvalidParameter", "content", message)
    elif references and len(references) != len(content.roles):
        message = "first/last frame content cannot be mixed with reference media content"
        yield Problem("InvalidParameter", "content", message)


def _model_problems(content: Content, model: Model) -> Iterator[Problem]:
    kind = content.task_type
    if kind not in model.tasks:
        message = f"the specified task_type {kind} does not support model {model.name}"
        yield Problem("InvalidParameter.TaskTypeConstraint", "content", message)
    for role, most in model.references:
        if content.roles.count(role) > most:
            noun = role.removeprefix("reference_")
            message = f"expected at most {most} reference {noun} contents for model {model.name}"
            yield Problem("InvalidParameter", "content", message)
    if kind == "r2v" and set(content.roles) == {"reference_audio"} and not model.audio_alone:
        message = "audio can't be the only reference content"
        yield Problem("InvalidParameter.TaskTypeConstraint", "content", message)
    if kind == "t2v" and not content.text and content.draft_task is None:
        yield Problem("MissingParameter", "content.text", "text to video needs a text content")
    if not model.asset_ids and any(item.url.startswith("asset://") for item in content.media):
        message = f"asset ids are not supported for model {model.name}"
        yield Problem("InvalidParameter", "content", message)
    if content.draft_task is not None and not model.draft:
        message = f"draft_task content is not supported for model {model.name}"
        yield Problem("InvalidParameter", "content", message)
