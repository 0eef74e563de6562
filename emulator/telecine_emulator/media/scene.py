"""What a clip shows, and the libavfilter graph that draws it."""

import colorsys
import hashlib
from dataclasses import dataclass
from functools import cached_property

STOPS = 8
"""Colours of a gradient; libavfilter's `gradients` takes no more."""

Filter = tuple[str, str]


@dataclass(frozen=True)
class Scene:
    """Equal scenes make equal files."""

    width: int
    height: int
    frame_count: int
    text: str
    picture: str = ""
    """A digest of the images of the request; empty for text to video."""
    watermark: bool = False
    output_format: str = "mp4"
    padded_to: int = 0

    @property
    def key(self) -> str:
        """Names the result files."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]

    def filters(self, loop: int) -> list[Filter]:
        """A chain of (filter, arguments) that draws frames without end; frame `loop` equals frame 0."""
        x, y = self.width // 10, self.height // 10
        # The motion is periodic, because a clip longer than the loop repeats the packets of the loop. `crop` moves
        # pointers and copies nothing, so that motion is free; `zoompan` scales every frame and took longer than
        # the encoder. Twice the speed downwards makes a figure of eight, once makes a circle.
        turns = 2 if self.picture else 1
        across = f"{x}*(1+cos(2*PI*n/{loop}))"
        down = f"{y}*(1+sin({turns}*2*PI*n/{loop}))"
        return [
            *self._still(self.width + 2 * x, self.height + 2 * y),
            ("loop", "loop=-1:size=1"),
            ("crop", f"{self.width}:{self.height}:x='{across}':y='{down}'"),
            *([self._watermark] if self.watermark else []),
        ]

    @cached_property
    def _digest(self) -> bytes:
        shown = self.picture or self.text
        return hashlib.sha256(shown.encode("utf-8", "replace")).digest()

    def _still(self, width: int, height: int) -> list[Filter]:
        """One picture: rings for an image, diagonal bands for a text."""
        # Drawn at a quarter of the size and scaled up: drawing is the slow step, and a gradient loses nothing.
        small = width // 4, height // 4
        shape = self._rings(*small) if self.picture else self._bands(*small)
        return [
            ("gradients", f"size={small[0]}x{small[1]}:{shape}:{self._colours}"),
            ("trim", "end_frame=1"),
            ("scale", f"{width}:{height}:flags=bilinear"),
            ("format", "pix_fmts=yuv420p"),
        ]

    def _bands(self, width: int, height: int) -> str:
        left = width * self._digest[0] // 512
        return f"type=linear:x0={left}:y0=0:x1={width - left - 1}:y1={height - 1}"

    def _rings(self, width: int, height: int) -> str:
        x = width * (77 + self._digest[0] * 2 // 5) // 255
        return f"type=radial:x0={x}:y0={height // 2}:x1={width - 1}:y1={height - 1}"

    @property
    def _colours(self) -> str:
        """Neighbours on the colour wheel, light and dark in turn."""
        hue, step = self._digest[1] / 255, 0.04 + self._digest[2] / 255 / 10
        colours = []
        for stop in range(STOPS):
            light = 0.35 if stop % 2 else 0.7
            rgb = colorsys.hls_to_rgb(hue + step * stop, light, 0.8)
            colours.append("".join(f"{round(part * 255):02x}" for part in rgb))
        stops = ":".join(f"c{stop}=0x{colour}" for stop, colour in enumerate(colours))
        return f"nb_colors={STOPS}:{stops}"

    @property
    def _watermark(self) -> Filter:
        """A light square in the lower right corner."""
        side = self.height // 12
        place = f"x={self.width - 2 * side}:y={self.height - 2 * side}:w={side}:h={side}"
        return "drawbox", f"{place}:color=0xe0e0e0:t=fill"
