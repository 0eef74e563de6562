"""Small real mp4 files, and the boxes to bend them with."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import av

FRAMES_A_SECOND = 24


def mp4(width: int = 320, height: int = 192, seconds: float = 1.0, *, fast_start: bool = False) -> bytes:
    """A playable grey H.264 video; with `fast_start` its moov box comes before the pictures."""
    options = {"movflags": "faststart"} if fast_start else {}
    with TemporaryDirectory() as folder:
        # A file, not a buffer: the muxer opens it a second time to move the moov box.
        file = Path(folder) / "video.mp4"
        _write(file, width, height, round(seconds * FRAMES_A_SECOND), options)
        return file.read_bytes()


def _write(file: Path, width: int, height: int, frames: int, options: dict[str, str]) -> None:
    with av.open(str(file), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FRAMES_A_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number % 200 + 20]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def box(kind: str, body: bytes = b"", *, large: bool = False) -> bytes:
    """One mp4 box, with a 64-bit size if `large`."""
    if large:
        return struct.pack(">I4sQ", 1, kind.encode(), len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind.encode()) + body


def mp4_with_padding(video: bytes, length: int) -> bytes:
    """The same video, `length` bytes long by a box of free space at its end."""
    return video + box("free", bytes(length - len(video) - 8))
