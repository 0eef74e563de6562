"""The models of the Seedance family.

Source: the vendor's parameter documents and live probes of July to November 2026 (Volcano Ark and BytePlus
ModelArk accept the same parameters under other model ids). What is inapplicable to a model is refused by the provider,
except that 1.0 accepts a priority without any effect; telecine refuses that, too, because it would do nothing.
"""

from collections.abc import Iterable
from dataclasses import replace

from .model import Mode, ReferenceLimits, VideoModel

__all__ = ["DEFAULT_MODEL", "MODELS", "models_taking", "provider_model"]

DEFAULT_MODEL = "doubao-seedance-1-0-pro-250528"

_PRO_1_0 = VideoModel(
    name=DEFAULT_MODEL,
    durations=(2, 12),
    flex=True,
    byteplus="seedance-1-0-pro-250528",
)
_PRO_1_5 = VideoModel(
    name="doubao-seedance-1-5-pro-251215",
    durations=(4, 12),
    chooses_duration=True,
    generate_audio=True,
    draft=True,
    flex=True,
    adaptive_from_text=True,
    byteplus="seedance-1-5-pro-251215",
)
# The vendor's table names no limit for videos of 2.0; it is that for audio. Of all three it enforces none.
_REFERENCES_2_0 = ReferenceLimits(images=9, videos=3, audio=3)
_MODEL_2_0 = VideoModel(
    name="doubao-seedance-2-0-260128",
    durations=(4, 15),
    modes=tuple(Mode),
    resolutions=("480p", "720p", "1080p", "4k"),
    chooses_duration=True,
    camera_fixed=False,
    generate_audio=True,
    priority=True,
    references=_REFERENCES_2_0,
    adaptive_from_text=True,
    patience=1200,
    slow_patience=2400,
    byteplus="dreamina-seedance-2-0-260128",
)
_FAST_2_0 = replace(
    _MODEL_2_0,
    name="doubao-seedance-2-0-fast-260128",
    resolutions=("480p", "720p"),
    patience=900,
    slow_patience=1800,
    byteplus="dreamina-seedance-2-0-fast-260128",
)

MODELS: dict[str, VideoModel] = {
    model.name: model
    for model in (
        _PRO_1_0,
        replace(
            _PRO_1_0,
            name="doubao-seedance-1-0-pro-fast-251015",
            modes=(Mode.TEXT, Mode.FIRST_FRAME),
            byteplus="seedance-1-0-pro-fast-251015",
        ),
        _PRO_1_5,
        _MODEL_2_0,
        _FAST_2_0,
        replace(
            _FAST_2_0,
            name="doubao-seedance-2-0-mini-260615",
            byteplus="dreamina-seedance-2-0-mini-260615",
        ),
        replace(
            _MODEL_2_0,
            name="doubao-seedance-2-5-260628",
            durations=(4, 30),
            resolutions=("480p", "720p", "1080p"),
            references=ReferenceLimits(images=30, videos=10, audio=10, audio_alone=True),
            ratio_with_frames=False,
            frames_per_second=48,
            patience=1800,
            slow_patience=3600,
            byteplus="dreamina-seedance-2-5-260628",
        ),
    )
}
"""By name, which is the model's id at Volcano Ark."""


def provider_model(name: str, *, byteplus: bool) -> str:
    """The provider's id of a model: BytePlus uses other ids for the same models."""
    return MODELS[name].byteplus if byteplus and name in MODELS else name


def models_taking(duration: int, models: Iterable[str]) -> list[str]:
    """Those of `models` that offer clips of `duration` seconds, in their order."""
    return [name for name in models if MODELS[name].takes(duration)]
