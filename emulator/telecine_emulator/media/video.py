"""Files of a scene: an H.264 clip, and its last frame as a png. Import it late: loading PyAV takes 0.2 s."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.filter import Graph
from av.video.stream import VideoStream

from telecine_emulator.api.video_models import FRAME_RATE

from .scene import Scene

LOOP_PIXELS = 24 * 1920 * 1088
MAX_LOOP_FRAMES = 48
FREE_BOX_HEADER = 16
FRAME_TIME = Fraction(1, FRAME_RATE)


def loop_length(scene: Scene) -> int:
    """How many different frames a clip has; it is encoded once and repeated, so length costs little."""
    affordable = max(12, LOOP_PIXELS // (scene.width * scene.height))
    return min(MAX_LOOP_FRAMES, affordable, scene.frame_count)


def write_clip(scene: Scene, path: Path) -> None:
    """24 frames a second, yuv420p, the index first. Blocks; call it in a thread."""
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
    number = (scene.frame_count - 1) % loop_length(scene)
    frame = next(islice(frames(replace(scene, watermark=False)), number, None)).reformat(format="rgb24")
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = scene.width, scene.height, "rgb24"
    context.time_base = FRAME_TIME
    packets = [*context.encode(frame), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def frames(scene: Scene) -> Iterator[av.VideoFrame]:
    """The different frames of a clip, in order."""
    graph = Graph()
    # One thread: a task's picture may not take the second core from the requests beside it.
    graph.threads = 1
    chain = [graph.add(name, arguments) for name, arguments in scene.filters(loop_length(scene))]
    graph.link_nodes(*chain, graph.add("buffersink")).configure()
    for number in range(loop_length(scene)):
        frame = graph.vpull()
        frame.pts, frame.time_base = number, FRAME_TIME
        yield frame


def pad(path: Path, size: int) -> None:
    """Grows an mp4 to `size` bytes with a `free` box that takes no space on the disk."""
    missing = size - path.stat().st_size
    if missing < FREE_BOX_HEADER:
        return
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write((1).to_bytes(4, "big") + b"free" + missing.to_bytes(8, "big"))
        file.truncate(size)


def _encoding(scene: Scene) -> dict[str, str]:
    # One keyframe at the start of the loop and no others, so that the repeated packets decode.
    return {
        "preset": "ultrafast",
        "crf": "30",
        "threads": "1",
        "g": str(loop_length(scene)),
        "sc_threshold": "0",
    }


def _encode(scene: Scene, stream: VideoStream) -> "list[av.Packet[Any]]":
    packets = [packet for frame in frames(scene) for packet in stream.encode(frame)]
    return packets + stream.encode(None)


def _repeated(packet: "av.Packet[Any]", number: int, stream: VideoStream) -> "av.Packet[Any]":
    """A copy of the packet as frame `number` of the clip."""
    again: av.Packet[Any] = av.Packet(bytes(packet))
    again.pts = again.dts = number
    again.duration = 1
    again.time_base = FRAME_TIME
    again.stream = stream
    again.is_keyframe = packet.is_keyframe
    return again
