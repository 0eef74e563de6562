"""Pictures of a scene as planes of yuv 4:2:0: moving bands for a text, a panned picture for an image."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from . import font

BAND = 256
LINES = 2
BACKDROP, INK, MARK = 24, 235, 200
NEUTRAL = 128

Planes = tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class Scene:
    """What a clip shows. Equal scenes make equal files."""

    width: int
    height: int
    frame_count: int
    text: str
    picture: str = ""
    """A digest of the images to move across; empty for bands that follow from the text."""
    watermark: bool = False
    output_format: str = "mp4"
    padded_to: int = 0

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Painter:
    """Paints frame `i` of a loop of `loop` frames, rows padded to the strides of the planes."""

    scene: Scene
    loop: int
    strides: tuple[int, int, int]

    def paint(self, i: int) -> Planes:
        upper = self._panned(i) if self.scene.picture else self._bands(i)
        caption = self.caption
        luma, blue, red = (above + below for above, below in zip(upper, caption, strict=True))
        return self._marked(luma) if self.scene.watermark else luma, blue, red

    @cached_property
    def scale(self) -> int:
        """Pixels a point of the font takes."""
        return max(1, self.scene.height // 180)

    @cached_property
    def caption_height(self) -> int:
        return LINES * (font.HEIGHT + 3) * self.scale // 2 * 2

    @cached_property
    def upper_height(self) -> int:
        return self.scene.height - self.caption_height

    @cached_property
    def colours(self) -> bytes:
        told = self.scene.picture or self.scene.text
        return hashlib.sha256(told.encode("utf-8", "replace")).digest()

    @cached_property
    def caption(self) -> Planes:
        """The text, light on dark, in two lines along the bottom."""
        columns = self.scene.width // ((font.WIDTH + 1) * self.scale) - 1
        text = " ".join(self.scene.text.split())
        rows = [row for n in range(LINES) for row in self._line(text[n * columns : (n + 1) * columns])]
        rows += [self._row([])] * (self.caption_height - len(rows))
        chroma = (bytes([NEUTRAL]) * (stride * (self.caption_height // 2)) for stride in self.strides[1:])
        blue, red = chroma
        return b"".join(rows), blue, red

    def _line(self, text: str) -> list[bytes]:
        empty = [self._row([])] * self.scale
        points = (self._row(font.text_row(text, row, self.scale)) for row in range(font.HEIGHT))
        return [*empty * 2, *(row for row in points for _ in range(self.scale)), *empty]

    def _row(self, runs: list[tuple[int, bool]]) -> bytes:
        margin = bytes([BACKDROP]) * (3 * self.scale)
        drawn = b"".join(bytes([INK if lit else BACKDROP]) * pixels for pixels, lit in runs)
        return (margin + drawn).ljust(self.strides[0], bytes([BACKDROP]))[: self.strides[0]]

    @cached_property
    def wave(self) -> bytes:
        """A luma row wide enough to be read from any phase of its band."""
        return bytes(60 + abs(x % BAND - BAND // 2) for x in range(self.strides[0] + BAND))

    @cached_property
    def sky(self) -> tuple[bytes, bytes]:
        """The two colour planes behind the bands: from one hue to another, top to bottom."""
        return self._fade(self.strides[1], *self.colours[:2]), self._fade(self.strides[2], *self.colours[2:4])

    def _fade(self, stride: int, top: int, bottom: int) -> bytes:
        rows = self.upper_height // 2
        steps = (top + (bottom - top) * row // rows for row in range(rows))
        return b"".join(bytes([64 + value // 2]) * stride for value in steps)

    def _bands(self, i: int) -> Planes:
        stride, shift = self.strides[0], i * BAND // self.loop
        slope = 1 + self.colours[4] % 3
        starts = ((row // slope + shift) % BAND for row in range(self.upper_height))
        return b"".join(self.wave[start : start + stride] for start in starts), *self.sky

    @cached_property
    def mosaic(self) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """The picture: tiles in colours of the digest, a quarter wider than the frame, a row of each."""
        columns, rows = 20, 9
        tile = self.strides[0] * 5 // 4 // columns // 2 * 2 + 2
        points = hashlib.shake_256(self.colours).digest(columns * rows * 3)

        def strips(plane: int, size: int, tone: Callable[[int], int]) -> list[bytes]:
            values = points[plane * columns * rows :]
            pixels = [bytes([tone(values[n])]) * size for n in range(columns * rows)]
            return [b"".join(pixels[row * columns : (row + 1) * columns]) for row in range(rows)]

        colour = strips(1, tile // 2, _tint), strips(2, tile // 2, _tint)
        return strips(0, tile, lambda value: 40 + value * 3 // 4), *colour

    def _panned(self, i: int) -> Planes:
        """The picture moves to its right edge and back."""
        luma, blue, red = self.mosaic
        room = len(luma[0]) - self.strides[0]
        across = int(room * (1 - math.cos(2 * math.pi * i / self.loop)) / 2) // 2 * 2
        return (
            self._stacked(luma, across, self.strides[0], self.upper_height),
            self._stacked(blue, across // 2, self.strides[1], self.upper_height // 2),
            self._stacked(red, across // 2, self.strides[2], self.upper_height // 2),
        )

    def _stacked(self, strips: list[bytes], start: int, stride: int, height: int) -> bytes:
        """Each strip as high as its share of the height, cut out from `start` on."""
        edges = [height * n // len(strips) for n in range(len(strips) + 1)]
        cut = (strip[start : start + stride].ljust(stride, b"\x80") for strip in strips)
        heights = (below - above for above, below in pairwise(edges))
        return b"".join(row * rows for row, rows in zip(cut, heights, strict=True))

    def _marked(self, luma: bytes) -> bytes:
        """A light square in the lower right corner, above the caption."""
        side, stride = self.scene.height // 12, self.strides[0]
        painted = bytearray(luma)
        for row in range(self.upper_height - side, self.upper_height):
            start = row * stride + self.scene.width - side
            painted[start : start + side] = bytes([MARK]) * side
        return bytes(painted)


def _tint(value: int) -> int:
    return 64 + value // 2
