"""Whether a request that is repeated with its idempotency key is the same request. Pure.

The body as it was sent is compared, not the parameters that followed from it: an operator may change a default or
withdraw a model, and a repeated request still gets its first response.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from telecine_contracts.video_models import MODELS, Mode
from telecine_gateway.domain import Generation

from .request_rules import DEFAULT_DURATION, DEFAULT_RESOLUTION

__all__ = ["IdempotentRequest"]


@dataclass(frozen=True)
class IdempotentRequest:
    """The JSON object that a client has sent, valid or not."""

    body: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body in one canonical form, hexadecimal: members sorted, no null, 5.0 as 5."""
        return _sha256({"sent": self._values})

    def matches(self, generation: Generation) -> bool:
        """Whether this request led to the generation, which an earlier version may have recorded."""
        if generation.digest is None:
            return False
        return generation.digest in (self.digest, self._earlier_digest(generation.model))

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.body.items() if value is not None}

    def _earlier_digest(self, recorded_model: str | None) -> str | None:
        """The digest of earlier versions: of the parameters, with defaults filled in.

        `recorded_model` replaces the default model, which may have changed since.
        """
        texts = {name: self._text(name) for name in ("prompt", "imageUrl", "lastFrameUrl")}
        model = MODELS.get(str(self._values.get("model", recorded_model)))
        if model is None:
            return None
        ratio = model.default_ratio(Mode.TEXT if texts["imageUrl"] is None else Mode.FIRST_FRAME)
        seed = self._values.get("seed")
        values = {
            "model": model.name,
            "prompt": texts["prompt"],
            "image_url": texts["imageUrl"],
            "last_frame_url": texts["lastFrameUrl"],
            "resolution": self._values.get("resolution", DEFAULT_RESOLUTION),
            "ratio": self._values.get("ratio", ratio),
            "duration": self._values.get("duration", DEFAULT_DURATION),
            "seed": None if seed == -1 else seed,
            "watermark": self._values.get("watermark", False),
            "camera_fixed": self._values.get("cameraFixed") if model.camera_fixed else None,
        }
        return _sha256({name: value for name, value in values.items() if value is not None})

    def _text(self, name: str) -> Any:
        value = self._values.get(name)
        return None if isinstance(value, str) and not value.strip() else value


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _sha256(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
