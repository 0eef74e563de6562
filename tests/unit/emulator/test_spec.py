"""Resolved parameters of a valid request: defaults, text commands, sizes and tokens."""

import base64
from secrets import SystemRandom
from typing import Any

import pytest

from telecine_emulator.api import content, video_models
from telecine_emulator.media import image_size
from telecine_emulator.tasks.spec import Spec, ValidatedRequest, resolve

PRO = "doubao-seedance-1-0-pro-250528"
TWO = "doubao-seedance-2-0-260128"
TWENTY_FIVE = "dreamina-seedance-2-5-260628"


def spec(model: str = PRO, prompt: str = "a kite", *, commands_win: bool = False, **fields: Any) -> Spec:
    items = fields.pop("content", [{"type": "text", "text": prompt}])
    found = video_models.find(model)
    assert found
    body = {"model": model, "content": items, **fields}
    return resolve(ValidatedRequest(body, content.read(items), found, commands_win), SystemRandom())


def test_the_defaults_of_the_first_model() -> None:
    made = spec()
    assert (made.resolution, made.ratio, made.width, made.height) == ("1080p", "16:9", 1920, 1088)
    assert (made.duration, made.frames, made.frame_count) == (5, None, 121)
    assert made.execution_expires_after == 172_800


def test_a_missing_seed_is_drawn() -> None:
    assert 0 <= spec(seed=-1).seed < 2**32
    assert spec(seed=0).seed == 0


def test_frames_override_duration() -> None:
    made = spec(frames=29, duration=5)
    assert (made.duration, made.frames, made.frame_count) == (None, 29, 29)


@pytest.mark.parametrize(
    ("model", "fields", "tokens"),
    [
        (PRO, {}, 246_840),
        (TWO, {"resolution": "720p", "duration": 5}, 108_900),
        (TWO, {"resolution": "720p", "duration": 4}, 87_300),
        (TWENTY_FIVE, {"resolution": "720p", "duration": 30}, 1_296_900),
    ],
)
def test_tokens_match_real_bills(model: str, fields: dict[str, Any], tokens: int) -> None:
    assert spec(model, **fields).tokens == tokens


def test_the_model_chooses_a_supported_duration() -> None:
    chosen = {spec(TWO, duration=-1, seed=seed).duration for seed in range(10)}
    assert chosen == {4, 5, 6, 7, 8}


def test_commands_are_applied_and_removed_from_the_prompt() -> None:
    made = spec(prompt="a kite --rs 480p --dur 3 --rt 9:16 --seed 7 --wm true --fps 30")
    assert made.prompt == "a kite"
    assert (made.resolution, made.duration, made.ratio, made.seed) == ("480p", 3, "9:16", 7)
    assert made.watermark


def test_commands_that_the_model_does_not_support_are_ignored() -> None:
    made = spec(TWO, "a kite --resolution 8k --duration 99 --frames 29 --seed x --watermark maybe")
    assert (made.resolution, made.duration, made.frames) == ("720p", 5, None)


def test_a_field_overrides_a_command_by_default() -> None:
    assert spec(prompt="a kite --dur 3", duration=8).duration == 8
    assert spec(prompt="a kite --frames 29", duration=8).duration == 8
    assert spec(prompt="a kite --dur 3", duration=8, commands_win=True).duration == 3


def test_the_resolution_is_case_insensitive() -> None:
    assert spec(TWO, resolution="4K").resolution == "4k"


def test_the_ratio_follows_an_embedded_image() -> None:
    head = b"BM" + bytes(16) + (640).to_bytes(4, "little") + (1000).to_bytes(4, "little")
    tall = f"data:image/bmp;base64,{base64.b64encode(head).decode()}"
    items = [{"type": "image_url", "image_url": {"url": tall}}]
    assert content.image_ratio(content.read(items)) == 0.64
    assert spec(content=items).ratio == "9:16"


def test_other_images_have_another_digest() -> None:
    def items(url: str) -> list[dict[str, Any]]:
        return [{"type": "image_url", "image_url": {"url": url}}]

    first, second = (spec(content=items(f"https://pictures.example/{n}")) for n in (1, 2))
    assert first.media != second.media
    assert spec().media == ""


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0", (640, 480)),
        (b"GIF89a\x80\x02\xe0\x01", (640, 480)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x01\xe0\x02\x80\x03", (640, 480)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\x7f\x02\x00\xdf\x01\x00", (640, 480)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + b"\x80\x02\xe0\x01", (640, 480)),
        (b"no image at all", None),
        (b"\xff\xd8\xff", None),
    ],
)
def test_image_sizes_are_read_from_the_header(head: bytes, size: tuple[int, int] | None) -> None:
    assert image_size.of(head) == size
