"""What one video model takes: modes, resolutions, seconds, ratios, options; and the rules that connect them. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

__all__ = ["RATIOS", "RESOLUTIONS", "Mode", "ReferenceLimits", "VideoModel"]

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
"""Aspect ratios that can be requested of every model; `adaptive` follows the input, where the model can."""
RESOLUTIONS = ("480p", "720p", "1080p", "4k")
"""Resolutions, smallest first."""
FLEX_PATIENCE = 24 * 3600
"""Seconds. The flex tier is an offline queue without a promise of time: minutes were seen, hours are normal.

Half of the 48 h after which the provider gives a task up by default. Twice a patience is sent as a task's expiry, so
that a flex task has exactly this default.
"""
LONG_AFTER = 10
"""Seconds after which a clip counts as long for its deadline."""


class Mode(StrEnum):
    """What a generation starts from, besides its prompt."""

    TEXT = "text"
    FIRST_FRAME = "first-frame"
    FIRST_AND_LAST_FRAME = "first-and-last-frame"
    REFERENCES = "references"


_FRAMES = (Mode.FIRST_FRAME, Mode.FIRST_AND_LAST_FRAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLimits:
    """How many references of each type a request may have. `audio_alone`: without an image or a video beside it."""

    images: int
    videos: int
    audio: int
    audio_alone: bool = False

    def most(self, type: str) -> int:
        """The limit for ``image``, ``video`` or ``audio``; 0 for anything else."""
        return {"image": self.images, "video": self.videos, "audio": self.audio}.get(type, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    """One model of the provider.

    `durations` is the shortest and the longest clip, in seconds, both included; `chooses_duration`: the model can be
    asked to choose the length within them. `adaptive_from_text`: the ratio `adaptive` is taken without an input that
    it could follow. `ratio_with_frames`: a ratio may be requested beside a first frame. `generate_audio`: the model
    makes sound. `draft`: it makes cheap previews, in 480p alone and never in the flex tier. `flex`: it
    has the provider's offline tier. `priority`: tasks may have a priority from 0 to 9 that has an effect.

    `patience` is how long a task may run after its submission before it times out, in seconds; `slow_patience` replaces
    it for 1080p and for clips of more than ten seconds, and doubles for 4k.
    """

    name: str
    durations: tuple[int, int]
    modes: tuple[Mode, ...] = (Mode.TEXT, Mode.FIRST_FRAME, Mode.FIRST_AND_LAST_FRAME)
    resolutions: tuple[str, ...] = ("480p", "720p", "1080p")
    chooses_duration: bool = False
    camera_fixed: bool = True
    generate_audio: bool = False
    draft: bool = False
    flex: bool = False
    priority: bool = False
    references: ReferenceLimits | None = None
    adaptive_from_text: bool = False
    ratio_with_frames: bool = True
    frames_per_second: int = 24
    patience: int = 300
    slow_patience: int = 600
    byteplus: str = ""

    DRAFT_RESOLUTION: ClassVar[str] = "480p"

    @property
    def last_frame(self) -> bool:
        """Whether a request may have a last frame beside the first."""
        return Mode.FIRST_AND_LAST_FRAME in self.modes

    def takes(self, duration: int) -> bool:
        """Whether the model offers clips of `duration` seconds."""
        return self.durations[0] <= duration <= self.durations[1]

    def resolutions_of(self, *, draft: bool) -> tuple[str, ...]:
        """The resolutions of a video, or of a draft."""
        return (self.DRAFT_RESOLUTION,) if draft else self.resolutions

    def ratios(self, mode: Mode) -> tuple[str, ...]:
        """The aspect ratios that can be requested; empty if the ratio follows the image."""
        if mode in _FRAMES:
            return (*RATIOS, "adaptive") if self.ratio_with_frames else ()
        if mode is Mode.REFERENCES:
            return (*RATIOS, "adaptive")
        return (*RATIOS, "adaptive") if self.adaptive_from_text else RATIOS

    def default_ratio(self, mode: Mode) -> str | None:
        """The ratio that is requested if the user names none; None if none can be requested."""
        if mode is Mode.TEXT:
            return "16:9"
        return "adaptive" if self.ratios(mode) else None

    def deadline(self, resolution: str, duration: int, *, flex: bool = False) -> int:
        """Seconds after submission at which a generation fails for its user."""
        if flex:
            return FLEX_PATIENCE
        if resolution == "4k":
            return 2 * self.slow_patience
        return self.slow_patience if resolution == "1080p" or duration > LONG_AFTER else self.patience

    def tokens(self, width: int, height: int, duration: int) -> int:
        """The provider's billing tokens for a clip: pixels of all frames / 1024, with one extra frame."""
        return width * height * (self.frames_per_second * duration + 1) // 1024
