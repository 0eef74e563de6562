"""References of a request: media that the video is to resemble or to use. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from telecine_contracts.video_models import VideoModel

from .image_url import InvalidImageUrl, normalize_image_url

__all__ = ["MAX_REFERENCES", "REFERENCE_TYPES", "InvalidReferences", "parse_references", "reference_role"]

REFERENCE_TYPES = ("image", "video", "audio")
MAX_REFERENCES = 50
"""As many as any model takes."""
_NOUNS = {"image": "images", "video": "videos", "audio": "audio files"}
_FIELDS = ("type", "role", "url")


class InvalidReferences(ValueError):
    """References that are refused; each message follows the field's name."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def reference_role(type: str) -> str:
    """The provider's word for the role of a reference of this type."""
    return f"reference_{type}"


def parse_references(
    value: object, model: VideoModel | None, private_hosts: Collection[str]
) -> list[dict[str, str]] | None:
    """Each reference with its type, role and normal URL; None if there is none. Raises InvalidReferences.

    What depends on the model is not checked where it is None.
    """
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise InvalidReferences("must be a list")
    if len(value) > MAX_REFERENCES:
        raise InvalidReferences(f"must not be more than {MAX_REFERENCES}, but are {len(value)}")
    problems: list[str] = []
    found = []
    for number, item in enumerate(value, 1):
        reference, wrong = _parse(item, private_hosts)
        problems += [f"item {number}: {message}" for message in wrong]
        found.append(reference)
    if model is not None:
        problems += _beyond(Counter(item.get("type", "") for item in found), model)
    if problems:
        raise InvalidReferences(*problems)
    return found


def _parse(item: object, private_hosts: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The fields that are valid, and what is wrong with the others."""
    if not isinstance(item, Mapping):
        return {}, ["must be an object with type and url"]
    given: dict[str, Any] = {name: value for name, value in item.items() if value is not None}
    problems = (
        [] if given.keys() <= set(_FIELDS) else [f"must not have fields other than {', '.join(_FIELDS)}"]
    )
    reference: dict[str, str] = {}
    kind = given.get("type")
    if isinstance(kind, str) and kind in REFERENCE_TYPES:
        reference |= {"type": kind, "role": reference_role(kind)}
        if given.get("role", reference["role"]) != reference["role"]:
            problems.append(f"role must be {reference['role']} for type {kind}")
    else:
        problems.append(f"type must be one of {', '.join(REFERENCE_TYPES)}")
    try:
        url = given.get("url")
        reference["url"] = normalize_image_url(url if isinstance(url, str) else "", private_hosts)
    except InvalidImageUrl as problem:
        problems.append(f"url {problem}")
    return reference, problems


def _beyond(counts: Counter[str], model: VideoModel) -> Iterator[str]:
    """What the model does not take."""
    limits = model.references
    if limits is None:
        yield f"are not supported by {model.name}"
        return
    for kind in REFERENCE_TYPES:
        if counts[kind] > (most := limits.most(kind)):
            yield f"must not have more than {most} {_NOUNS[kind]} for {model.name}, but have {counts[kind]}"
    if counts.keys() == {"audio"} and not limits.audio_alone:
        yield f"must have an image or a video beside the audio for {model.name}"
