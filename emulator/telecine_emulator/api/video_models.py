"""Video models as data: what each supports (source: Ark's applicability matrix), and their ids."""

from dataclasses import dataclass, replace
from types import MappingProxyType

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
FRAME_RATE = 24
FRAME_COUNTS = range(29, 290, 4)
MAX_SEED = 2**32 - 1

Size = tuple[int, int]

SIZES_OF_FIRST_SERIES: dict[str, tuple[Size, ...]] = {
    "480p": ((864, 480), (736, 544), (640, 640), (544, 736), (480, 864), (960, 416)),
    "720p": ((1248, 704), (1120, 832), (960, 960), (832, 1120), (704, 1248), (1504, 640)),
    "1080p": ((1920, 1088), (1664, 1248), (1440, 1440), (1248, 1664), (1088, 1920), (2176, 928)),
}
SIZES_OF_LATER_SERIES: dict[str, tuple[Size, ...]] = {
    "480p": ((864, 496), (752, 560), (640, 640), (560, 752), (496, 864), (992, 432)),
    "720p": ((1280, 720), (1112, 834), (960, 960), (834, 1112), (720, 1280), (1470, 630)),
    "1080p": ((1920, 1080), (1664, 1248), (1440, 1440), (1248, 1664), (1080, 1920), (2206, 946)),
    "4k": ((3840, 2160), (3328, 2496), (2880, 2880), (2496, 3328), (2160, 3840), (4412, 1892)),
}


@dataclass(frozen=True)
class Model:
    """One row of the matrix. `tasks` holds the task types t2v, i2v, flf2v and r2v.

    `references`: the most images, videos and audio files of a request, by role.
    """

    name: str
    resolutions: tuple[str, ...]
    default_resolution: str
    seconds: range
    tasks: frozenset[str]
    first_series: bool
    chooses_seconds: bool = False
    camera_fixed: bool = True
    service_tier: bool = True
    frames: bool = False
    draft: bool = False
    priority: bool = True
    tools: bool = False
    references: tuple[tuple[str, int], ...] = ()
    audio_alone: bool = False
    ratio_with_first_frame: bool = True
    makes_sound: bool = False
    asset_ids: bool = False
    strict_expiry: bool = True
    formats: tuple[str, ...] = ("mp4",)
    frames_per_second_billed: int = 24

    def size(self, resolution: str, ratio: str) -> Size:
        """Width and height in pixels."""
        sizes = SIZES_OF_FIRST_SERIES if self.first_series else SIZES_OF_LATER_SERIES
        return sizes[resolution][RATIOS.index(ratio)]

    def tokens(self, size: Size, frames: int) -> int:
        """Billed tokens of a clip with `frames` frames (24 a second, plus one)."""
        billed = (frames - 1) * self.frames_per_second_billed // FRAME_RATE + 1
        return size[0] * size[1] * billed // 1024


FRAMES_ONLY = frozenset({"t2v", "i2v", "flf2v"})
EVERYTHING = FRAMES_ONLY | {"r2v"}


def _references(images: int, videos: int, audio: int) -> tuple[tuple[str, int], ...]:
    return ("reference_image", images), ("reference_video", videos), ("reference_audio", audio)


ONE_0_PRO = Model(
    name="seedance-1-0-pro",
    resolutions=("480p", "720p", "1080p"),
    default_resolution="1080p",
    seconds=range(2, 13),
    tasks=FRAMES_ONLY,
    first_series=True,
    frames=True,
)
ONE_5_PRO = Model(
    name="seedance-1-5-pro",
    resolutions=("480p", "720p", "1080p"),
    default_resolution="720p",
    seconds=range(4, 13),
    tasks=FRAMES_ONLY,
    first_series=False,
    chooses_seconds=True,
    draft=True,
    priority=False,
    makes_sound=True,
)
TWO_0 = Model(
    name="seedance-2-0",
    resolutions=("480p", "720p", "1080p", "4k"),
    default_resolution="720p",
    seconds=range(4, 16),
    tasks=EVERYTHING,
    first_series=False,
    chooses_seconds=True,
    camera_fixed=False,
    service_tier=False,
    tools=True,
    makes_sound=True,
    references=_references(9, 3, 3),
    asset_ids=True,
    strict_expiry=False,
)

MODELS = MappingProxyType(
    {
        "seedance-1-0-pro-250528": ONE_0_PRO,
        "seedance-1-0-pro-fast-251015": replace(
            ONE_0_PRO, name="seedance-1-0-pro-fast", tasks=frozenset({"t2v", "i2v"})
        ),
        "seedance-1-0-lite-t2v-250428": replace(
            ONE_0_PRO, name="seedance-1-0-lite-t2v", default_resolution="720p", tasks=frozenset({"t2v"})
        ),
        "seedance-1-0-lite-i2v-250428": replace(
            ONE_0_PRO,
            name="seedance-1-0-lite-i2v",
            default_resolution="720p",
            tasks=frozenset({"i2v", "flf2v", "r2v"}),
            references=_references(4, 0, 0),
        ),
        "seedance-1-5-pro-251215": ONE_5_PRO,
        "seedance-2-0-260128": TWO_0,
        "seedance-2-0-fast-260128": replace(TWO_0, name="seedance-2-0-fast", resolutions=("480p", "720p")),
        "seedance-2-0-mini-260615": replace(TWO_0, name="seedance-2-0-mini", resolutions=("480p", "720p")),
        "seedance-2-5-260628": replace(
            TWO_0,
            name="seedance-2-5",
            resolutions=("480p", "720p", "1080p"),
            seconds=range(4, 31),
            references=_references(30, 10, 10),
            audio_alone=True,
            ratio_with_first_frame=False,
            formats=("mp4", "mov"),
            frames_per_second_billed=48,
        ),
    }
)

MODEL_BEHIND_ENDPOINTS = "doubao-seedance-1-0-pro-250528"
"""The model of every endpoint id (`ep-…`)."""


def resolved_model_id(model_id: str) -> str:
    """The model id that a task reports: the endpoint's model, else the id of the request."""
    return MODEL_BEHIND_ENDPOINTS if model_id.startswith("ep-") else model_id


def find(model_id: str) -> Model | None:
    """The model of an id of either region, or None if the account has not activated it."""
    name = resolved_model_id(model_id).removeprefix("doubao-")
    bare = name.removeprefix("dreamina-")
    model = MODELS.get(bare)
    if model is None or model_id.startswith("doubao-"):
        return model
    needs_prefix = bare.startswith("seedance-2-") and not model_id.startswith("ep-")
    return model if needs_prefix == name.startswith("dreamina-") else None


def is_volcano(model_id: str) -> bool:
    return model_id.startswith(("doubao-", "ep-"))
