"""Result files: clips, byte ranges, signed URLs, and download faults."""

import io
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import httpx
import pytest
from tests.support.processes.emulator import EmulatorProcess, text

IMAGE = {"type": "image_url", "image_url": {"url": "https://pictures.example/kite.png"}}


@pytest.fixture
def finished(emulator: EmulatorProcess) -> str:
    """The id of a task that has succeeded."""
    return str(emulator.finish(emulator.create())["id"])


def frames(data: bytes) -> list[bytes]:
    """The luma planes of a clip."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(frame.planes[0]) for frame in container.decode(video=0)]


def boxes(data: bytes) -> list[str]:
    """The kinds of the outermost boxes, in order."""
    kinds, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kinds.append(data[at + 4 : at + 8].decode())
        at += size if size != 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return kinds


@pytest.mark.parametrize(
    ("fields", "size", "count"),
    [
        ({"resolution": "480p", "duration": 2}, (864, 480), 49),
        ({"resolution": "480p", "ratio": "21:9", "frames": 33}, (960, 416), 33),
        ({"model": "doubao-seedance-2-0-260128", "ratio": "21:9", "duration": 4}, (1470, 630), 97),
    ],
)
def test_a_clip_has_the_requested_size_and_length(
    emulator: EmulatorProcess, fields: dict[str, Any], size: tuple[int, int], count: int
) -> None:
    fields = {"resolution": "720p"} | fields
    done = emulator.finish(emulator.create(**fields))
    answer = emulator.video(done["id"])
    assert answer.headers["content-type"] == "video/mp4"
    assert boxes(answer.content)[:2] == ["ftyp", "moov"]
    with av.open(io.BytesIO(answer.content), "r") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == size
        assert stream.average_rate == 24
        assert stream.duration is not None
        assert stream.time_base is not None
        assert stream.duration * stream.time_base * 24 == count
        assert sum(1 for _ in container.decode(stream)) == count


def test_a_clip_moves(emulator: EmulatorProcess, finished: str) -> None:
    shown = frames(emulator.video(finished).content)
    assert all(one != other for one, other in pairwise(shown))


def test_each_prompt_and_each_image_has_its_own_picture(emulator: EmulatorProcess) -> None:
    other = {"type": "image_url", "image_url": {"url": "https://pictures.example/boat.png"}}
    contents = ([text("a kite")], [text("a boat")], [text("a kite"), IMAGE], [text("a kite"), other])
    tasks = [emulator.create(content=content) for content in contents]
    emulator.advance(30)
    assert len({frames(emulator.video(task).content)[10] for task in tasks}) == 4


def test_a_watermark_is_visible(emulator: EmulatorProcess) -> None:
    plain, marked = emulator.create(), emulator.create(watermark=True)
    emulator.advance(30)
    assert frames(emulator.video(plain).content)[0] != frames(emulator.video(marked).content)[0]


def test_the_last_frame_is_a_png_of_the_same_size(emulator: EmulatorProcess, finished: str) -> None:
    assert "last_frame_url" not in emulator.get(finished)["content"]
    done = emulator.finish(emulator.create(return_last_frame=True))
    answer = httpx.get(done["content"]["last_frame_url"], trust_env=False)
    assert answer.headers["content-type"] == "image/png"
    with av.open(io.BytesIO(answer.content), "r") as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (864, 480)


def test_a_result_can_be_a_mov(emulator: EmulatorProcess) -> None:
    fields: dict[str, Any] = {"model": "dreamina-seedance-2-5-260628", "output_format": "mov", "duration": 4}
    answer = emulator.video(emulator.finish(emulator.create(**fields))["id"])
    assert answer.headers["content-type"] == "video/quicktime"
    assert answer.content[8:12] == b"qt  "


def test_a_result_url_is_signed(emulator: EmulatorProcess, finished: str) -> None:
    url = emulator.get(finished)["content"]["video_url"]
    query = parse_qs(urlsplit(url).query)
    assert query["X-Tos-Expires"] == ["86400"]
    assert url.startswith(f"{emulator.url}/results/")
    assert emulator.get(finished)["content"]["video_url"] == url
    for wrong in (url[:-4] + "0000", url.split("?")[0], url.replace("X-Tos-Date=2", "X-Tos-Date=3")):
        assert httpx.get(wrong, trust_env=False).status_code == 403
    assert httpx.get(f"{emulator.url}/results/cgt-unknown/video.mp4", trust_env=False).status_code == 404


def test_byte_ranges_are_served(emulator: EmulatorProcess, finished: str) -> None:
    whole = emulator.video(finished)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["etag"]
    for asked, start, end in (("0-9", 0, 10), ("100-", 100, size), ("-5", size - 5, size)):
        part = emulator.video(finished, Range=f"bytes={asked}")
        assert part.status_code == 206
        assert part.content == whole.content[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["etag"] == whole.headers["etag"]
    assert emulator.video(finished, Range=f"bytes={size}-").status_code == 416


def test_head_returns_the_length(emulator: EmulatorProcess, finished: str) -> None:
    url = emulator.get(finished)["content"]["video_url"]
    answer = httpx.head(url, trust_env=False)
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(emulator.video(finished).content)


def test_a_large_result_is_padded_and_still_plays(emulator: EmulatorProcess) -> None:
    emulator.fault("result_bytes", 5_000_000, times=1)
    answer = emulator.video(emulator.finish(emulator.create())["id"])
    assert len(answer.content) == 5_000_000
    assert boxes(answer.content)[-1] == "free"
    assert len(frames(answer.content)) == 49


def test_a_result_can_be_unavailable_at_first(emulator: EmulatorProcess) -> None:
    emulator.fault("result_not_ready", 2)
    for prompt in ("one", "two"):
        task_id = emulator.finish(emulator.create(prompt))["id"]
        assert [emulator.video(task_id).status_code for _ in range(3)] == [400, 400, 200]


def test_a_download_can_be_refused(emulator: EmulatorProcess, finished: str) -> None:
    emulator.fault("result_403", times=1)
    assert [emulator.video(finished).status_code for _ in range(2)] == [403, 200]


@pytest.mark.parametrize("name", ["result_truncated", "result_truncated_chunked"])
def test_a_download_can_be_truncated(emulator: EmulatorProcess, finished: str, name: str) -> None:
    emulator.fault(name, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        emulator.video(finished)
    assert emulator.video(finished).status_code == 200


def test_a_truncated_download_has_a_length_or_not(emulator: EmulatorProcess, finished: str) -> None:
    size = len(emulator.video(finished).content)
    url = emulator.get(finished)["content"]["video_url"]
    emulator.fault("result_truncated", times=1)
    with httpx.stream("GET", url, trust_env=False) as answer:
        assert int(answer.headers["content-length"]) == size
    emulator.fault("result_truncated_chunked", times=1)
    with httpx.stream("GET", url, trust_env=False) as answer:
        assert "content-length" not in answer.headers


def test_a_truncated_download_can_end_correctly(emulator: EmulatorProcess, finished: str) -> None:
    whole = emulator.video(finished).content
    emulator.fault("result_truncated_chunked", "clean", times=1)
    assert emulator.video(finished).content == whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("name", "media_type", "same_bytes", "same_length"),
    [
        ("result_html", "text/html; charset=utf-8", False, False),
        ("result_wrong_type", "text/plain; charset=utf-8", True, True),
        ("result_not_mp4", "video/mp4", False, False),
        ("result_corrupt", "video/mp4", False, True),
    ],
)
def test_a_download_can_have_a_wrong_type_or_wrong_bytes(
    emulator: EmulatorProcess,
    finished: str,
    *,
    name: str,
    media_type: str,
    same_bytes: bool,
    same_length: bool,
) -> None:
    good = emulator.video(finished)
    emulator.fault(name, times=1)
    bad = emulator.video(finished)
    assert (bad.status_code, bad.headers["content-type"]) == (200, media_type)
    assert (bad.content == good.content) == same_bytes
    assert (len(bad.content) == len(good.content)) == same_length


def test_equal_requests_share_a_file(emulator: EmulatorProcess) -> None:
    tasks = [emulator.create("shared by two", seed=seed) for seed in (1, 2)]
    emulator.advance(30)
    first, second = (emulator.video(task).content for task in tasks)
    assert first == second


def test_sample_images_need_no_key(emulator: EmulatorProcess) -> None:
    answer = httpx.get(f"{emulator.url}/samples/harbour.png", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")
    assert httpx.get(f"{emulator.url}/samples/other.png", trust_env=False).status_code == 404
