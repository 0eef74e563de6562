"""The video models: what each takes, and what follows from it. Data and pure functions."""

from .matrix import DEFAULT_MODEL, MODELS, models_taking, provider_model
from .model import RATIOS, RESOLUTIONS, Mode, ReferenceLimits, VideoModel

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "RATIOS",
    "RESOLUTIONS",
    "Mode",
    "ReferenceLimits",
    "VideoModel",
    "models_taking",
    "provider_model",
]
