"""Files of a scene: a real H.264 clip, and its last frame as a png. Needs PyAV, which is slow to load."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine_emulator.api.video_models import FRAME_RATE

from .painter import Painter, Scene

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

LOOP_PIXELS = 24 * 1920 * 1088
LONGEST_LOOP = 48
FREE_BOX_HEADER = 16


def loop_length(scene: Scene) -> int:
    """How many different frames a clip has; it is encoded once and repeated, so length costs little."""
    affordable = max(12, LOOP_PIXELS // (scene.width * scene.height))
    return min(LONGEST_LOOP, affordable, scene.frame_count)


def write_clip(scene: Scene, path: Path) -> None:
    """24 frames a second, yuv420p, the index first. Blocks; call it in a thread."""
    import av

    with av.open(str(path), "w", format=scene.output_format, options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=_encoding(scene))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        packets = _encode(scene, stream)
        for number in range(scene.frame_count):
            container.mux(_repeated(packets[number % len(packets)], number, stream))
    if scene.padded_to:
        pad(path, scene.padded_to)


def write_last_frame(scene: Scene, path: Path) -> None:
    """The last frame as a png of the clip's size, without the watermark."""
    import av

    painter = _painter(replace(scene, watermark=False))
    frame = _frame(painter, (scene.frame_count - 1) % painter.loop).reformat(format="rgb24")
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = scene.width, scene.height, "rgb24"
    context.time_base = _frame_time()
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def pad(path: Path, size: int) -> None:
    """Grows an mp4 to `size` bytes with a `free` box that takes no room on the disk."""
    missing = size - path.stat().st_size
    if missing < FREE_BOX_HEADER:
        return
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write((1).to_bytes(4, "big") + b"free" + missing.to_bytes(8, "big"))
        file.truncate(size)


def _encoding(scene: Scene) -> dict[str, str]:
    return {
        "preset": "ultrafast",
        "crf": "30",
        "threads": "1",
        "g": str(loop_length(scene)),
        "sc_threshold": "0",
    }


def _encode(scene: Scene, stream: "VideoStream") -> "list[av.Packet[Any]]":
    painter = _painter(scene)
    packets: list[av.Packet[Any]] = []
    for number in range(painter.loop):
        packets += stream.encode(_frame(painter, number))
    return packets + stream.encode(None)


def _painter(scene: Scene) -> Painter:
    import av

    planes = av.VideoFrame(scene.width, scene.height, "yuv420p").planes
    return Painter(scene, loop_length(scene), (planes[0].line_size, planes[1].line_size, planes[2].line_size))


def _frame(painter: Painter, number: int) -> "av.VideoFrame":
    import av

    frame = av.VideoFrame(painter.scene.width, painter.scene.height, "yuv420p")
    for plane, painted in zip(frame.planes, painter.paint(number), strict=True):
        plane.update(painted)
    frame.pts = number
    return frame


def _repeated(packet: "av.Packet[Any]", number: int, stream: "VideoStream") -> "av.Packet[Any]":
    import av

    again: av.Packet[Any] = av.Packet(bytes(packet))
    again.pts = again.dts = number
    again.duration = 1
    again.time_base = _frame_time()
    again.stream = stream
    again.is_keyframe = packet.is_keyframe
    return again


def _frame_time() -> Fraction:
    return Fraction(1, FRAME_RATE)
