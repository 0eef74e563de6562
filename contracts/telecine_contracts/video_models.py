"""Capabilities of each video model: durations, resolutions, ratios, features.

Source: the vendor's parameter documents and live probes of July to November 2026 (Volcano Ark and BytePlus
ModelArk accept the same parameters under other model ids).
"""

from collections.abc import Iterable
from dataclasses import dataclass

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
RESOLUTIONS = ("480p", "720p", "1080p")
"""Resolutions that telecine offers, smallest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    """One model of the provider.

    `durations` is the shortest and the longest clip, in seconds, both included. `patience` is how long a task may run
    after its submission before it times out, in seconds; `slow_patience` replaces it for 1080p and for clips of more
    than ten seconds.
    """

    name: str
    durations: tuple[int, int]
    resolutions: tuple[str, ...] = RESOLUTIONS
    last_frame: bool = True
    camera_fixed: bool = True
    adaptive_from_text: bool = False
    ratio_with_image: bool = True
    frames_per_second: int = 24
    patience: int = 300
    slow_patience: int = 600
    byteplus: str = ""

    def takes(self, duration: int) -> bool:
        """Whether the model offers clips of `duration` seconds."""
        return self.durations[0] <= duration <= self.durations[1]

    def ratios(self, *, from_image: bool) -> tuple[str, ...]:
        """The aspect ratios that can be requested; empty if the ratio follows the image."""
        if from_image:
            return (*RATIOS, "adaptive") if self.ratio_with_image else ()
        return (*RATIOS, "adaptive") if self.adaptive_from_text else RATIOS

    def default_ratio(self, *, from_image: bool) -> str | None:
        """The ratio that is requested if the user names none."""
        if not from_image:
            return "16:9"
        return "adaptive" if self.ratio_with_image else None

    def deadline(self, resolution: str, duration: int) -> int:
        """Seconds after submission at which a generation fails for its user."""
        return self.slow_patience if resolution == "1080p" or duration > 10 else self.patience

    def tokens(self, width: int, height: int, duration: int) -> int:
        """The provider's billing tokens for a clip: pixels of all frames / 1024, with one extra frame."""
        return width * height * (self.frames_per_second * duration + 1) // 1024


MODELS: dict[str, VideoModel] = {
    model.name: model
    for model in (
        VideoModel(
            name="doubao-seedance-1-0-pro-250528",
            durations=(2, 12),
            byteplus="seedance-1-0-pro-250528",
        ),
        VideoModel(
            name="doubao-seedance-1-0-pro-fast-251015",
            durations=(2, 12),
            last_frame=False,
            byteplus="seedance-1-0-pro-fast-251015",
        ),
        VideoModel(
            name="doubao-seedance-1-5-pro-251215",
            durations=(4, 12),
            adaptive_from_text=True,
            byteplus="seedance-1-5-pro-251215",
        ),
        VideoModel(
            name="doubao-seedance-2-0-260128",
            durations=(4, 15),
            camera_fixed=False,
            adaptive_from_text=True,
            patience=1200,
            slow_patience=2400,
            byteplus="dreamina-seedance-2-0-260128",
        ),
        VideoModel(
            name="doubao-seedance-2-0-fast-260128",
            durations=(4, 15),
            resolutions=("480p", "720p"),
            camera_fixed=False,
            adaptive_from_text=True,
            patience=900,
            slow_patience=1800,
            byteplus="dreamina-seedance-2-0-fast-260128",
        ),
        VideoModel(
            name="doubao-seedance-2-0-mini-260615",
            durations=(4, 15),
            resolutions=("480p", "720p"),
            camera_fixed=False,
            adaptive_from_text=True,
            patience=900,
            slow_patience=1800,
            byteplus="dreamina-seedance-2-0-mini-260615",
        ),
        VideoModel(
            name="doubao-seedance-2-5-260628",
            durations=(4, 30),
            camera_fixed=False,
            adaptive_from_text=True,
            ratio_with_image=False,
            frames_per_second=48,
            patience=1800,
            slow_patience=3600,
            byteplus="dreamina-seedance-2-5-260628",
        ),
    )
}
DEFAULT_MODEL = "doubao-seedance-1-0-pro-250528"


def provider_model(name: str, *, byteplus: bool) -> str:
    """The provider's id of a model: BytePlus uses other ids for the same models."""
    return MODELS[name].byteplus if byteplus and name in MODELS else name


def models_taking(duration: int, models: Iterable[str]) -> list[str]:
    """Those of `models` that offer clips of `duration` seconds, in their order."""
    return [name for name in models if MODELS[name].takes(duration)]
