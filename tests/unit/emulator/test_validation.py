"""Validation of create requests: refused values and the reported field."""

import base64
import struct
from typing import Any

import pytest

from telecine_emulator.api import content, validation, video_models

PRO = "doubao-seedance-1-0-pro-250528"
FAST = "seedance-1-0-pro-fast-251015"
FIFTEEN = "doubao-seedance-1-5-pro-251215"
TWO = "dreamina-seedance-2-0-260128"
MINI = "dreamina-seedance-2-0-mini-260615"
TWENTY_FIVE = "dreamina-seedance-2-5-260628"
TEXT = {"type": "text", "text": "a kite"}


def image(role: str | None = None, url: str = "https://pictures.example/kite.png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}} | ({"role": role} if role else {})


def reference(kind: str) -> dict[str, Any]:
    return {
        "type": f"{kind}_url",
        f"{kind}_url": {"url": "https://media.example/1"},
        "role": f"reference_{kind}",
    }


def embedded_png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return f"data:image/png;base64,{base64.b64encode(head + bytes(9)).decode()}"


def refused(model: str, items: list[Any] | None = None, **fields: Any) -> list[str]:
    """The reported fields."""
    body = {"model": model, "content": [TEXT] if items is None else items, **fields}
    found = video_models.find(model)
    assert found
    return [problem.param for problem in validation.problems(body, content.read(body["content"]), found)]


@pytest.mark.parametrize("model", [PRO, FAST, FIFTEEN, TWO, MINI, TWENTY_FIVE])
def test_a_text_is_sufficient(model: str) -> None:
    assert refused(model) == []


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (PRO, "draft", True),
        (PRO, "draft", False),
        (PRO, "tools", [{"type": "web_search"}]),
        (FIFTEEN, "frames", 29),
        (FIFTEEN, "priority", 1),
        (TWO, "camera_fixed", False),
        (TWO, "service_tier", "default"),
        (TWO, "frames", 29),
        (TWENTY_FIVE, "camera_fixed", True),
    ],
)
def test_a_field_the_model_lacks_is_refused_whatever_its_value(model: str, field: str, value: Any) -> None:
    assert refused(model, **{field: value}) == [field]


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (
            PRO,
            {"resolution": "1080P", "duration": 12, "seed": 2**32 - 1, "camera_fixed": True, "frames": 289},
        ),
        (PRO, {"priority": 9, "service_tier": "flex", "execution_expires_after": 3600}),
        (FIFTEEN, {"duration": -1, "draft": True, "resolution": "480p", "ratio": "adaptive"}),
        (TWO, {"resolution": "4K", "duration": 15, "execution_expires_after": 60, "generate_audio": True}),
        (TWO, {"tools": [{"type": "web_search"}], "safety_identifier": "x" * 64}),
        (TWENTY_FIVE, {"output_format": "mov", "duration": 30, "framespersecond": 999}),
    ],
)
def test_supported_fields_are_accepted(model: str, fields: dict[str, Any]) -> None:
    assert refused(model, **fields) == []


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (PRO, "resolution", "4k"),
        (MINI, "resolution", "1080p"),
        (TWO, "resolution", "2k"),
        (PRO, "resolution", 720),
        (PRO, "ratio", "adaptive"),
        (TWO, "ratio", "2:1"),
        (PRO, "duration", 1),
        (PRO, "duration", -1),
        (PRO, "duration", "5"),
        (PRO, "duration", True),
        (TWO, "duration", 3),
        (TWENTY_FIVE, "duration", 31),
        (PRO, "frames", 30),
        (PRO, "seed", 2**32),
        (PRO, "seed", -2),
        (PRO, "watermark", "true"),
        (PRO, "return_last_frame", 1),
        (PRO, "service_tier", "fast"),
        (PRO, "execution_expires_after", 3599),
        (TWO, "execution_expires_after", 259_201),
        (TWO, "priority", 10),
        (TWO, "output_format", "mov"),
        (TWO, "tools", [{"type": "image"}]),
        (PRO, "callback_url", "ftp://x"),
        (PRO, "safety_identifier", "x" * 65),
    ],
)
def test_an_invalid_value_is_reported_with_its_field(model: str, field: str, value: Any) -> None:
    assert refused(model, **{field: value}) == [field]


def test_all_invalid_fields_are_found() -> None:
    assert refused(PRO, resolution="8k", duration=99, seed=-7) == ["resolution", "duration", "seed"]


def test_a_draft_is_small_without_a_last_frame_and_not_flex() -> None:
    fields: dict[str, Any] = {"resolution": "720p", "return_last_frame": True, "service_tier": "flex"}
    assert refused(FIFTEEN, draft=True, **fields) == ["resolution", "return_last_frame", "service_tier"]


def test_nulls_are_absent_at_any_depth() -> None:
    body = {"model": PRO, "draft": None, "content": [{"type": "text", "text": "a", "role": None}]}
    assert validation.without_nulls(body) == {"model": PRO, "content": [{"type": "text", "text": "a"}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "model"),
        ({"content": [TEXT]}, "model"),
        ({"model": PRO}, "content"),
        ({"model": 1, "content": []}, "model"),
    ],
)
def test_required_fields_are_reported_one_by_one(body: dict[str, Any], field: str) -> None:
    problem = validation.missing_field(body)
    assert problem
    assert problem.param == field


@pytest.mark.parametrize(
    ("model", "items", "kind"),
    [
        (PRO, [TEXT], "t2v"),
        (PRO, [TEXT, image()], "i2v"),
        (PRO, [image("first_frame")], "i2v"),
        (PRO, [TEXT, image("first_frame"), image("last_frame")], "flf2v"),
        (TWO, [TEXT, image("reference_image"), reference("video"), reference("audio")], "r2v"),
        (TWO, [image(url="asset://a1")], "i2v"),
        (TWENTY_FIVE, [TEXT, reference("audio")], "r2v"),
        (PRO, [image(url=embedded_png(640, 480))], "i2v"),
    ],
)
def test_the_roles_determine_the_task_type(model: str, items: list[Any], kind: str) -> None:
    assert refused(model, items) == []
    assert content.read(items).task_type == kind


@pytest.mark.parametrize(
    ("model", "items"),
    [
        (PRO, []),
        (PRO, ["a kite"]),
        (PRO, [{"type": "text", "text": "  "}]),
        (PRO, [{"type": "text"}]),
        (PRO, [{"type": "picture"}]),
        (PRO, [{"type": "image_url", "image_url": "https://pictures.example/kite.png"}]),
        (PRO, [TEXT, image("middle_frame")]),
        (PRO, [TEXT, image(), image("last_frame")]),
        (PRO, [TEXT, image("first_frame"), image("first_frame")]),
        (PRO, [TEXT, image("last_frame")]),
        (TWO, [TEXT, image("first_frame"), image("reference_image")]),
        (TWO, [TEXT, image("first_frame"), reference("video")]),
        (TWO, [TEXT, reference("audio")]),
        (PRO, [TEXT, image("reference_image")]),
        (FIFTEEN, [TEXT, reference("video")]),
        (TWO, [TEXT, *[image("reference_image")] * 10]),
        (TWO, [TEXT, image("reference_image"), *[reference("audio")] * 4]),
        (TWENTY_FIVE, [TEXT, *[reference("video")] * 11]),
        (FAST, [TEXT, image("first_frame"), image("last_frame")]),
        (PRO, [image(url="asset://a1")]),
        (PRO, [image(url="kite.png")]),
        (PRO, [image(url="")]),
        (PRO, [image(url="data:image/PNG;base64,AAAA")]),
        (PRO, [image(url="data:image/png;base64,!!!")]),
        (PRO, [image(url=embedded_png(300, 400))]),
        (PRO, [image(url=embedded_png(1000, 400))]),
        (PRO, [image(url=embedded_png(6000, 5000))]),
        (PRO, [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]),
        (TWENTY_FIVE, [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]),
    ],
)
def test_invalid_items_are_refused(model: str, items: list[Any]) -> None:
    assert refused(model, items)


def test_errors_contain_the_task_type_and_the_model() -> None:
    read = content.read([TEXT, image("reference_image")])
    problems = validation.problems({"content": []}, read, video_models.MODELS["seedance-1-0-pro-250528"])
    assert [problem.code for problem in problems] == ["InvalidParameter.TaskTypeConstraint"]
    assert "r2v does not support model seedance-1-0-pro" in problems[0].message


@pytest.mark.parametrize(
    ("url", "code"),
    [("", "InvalidImageURL.EmptyURL"), ("kite.png", "InvalidImageURL.InvalidFormat")],
)
def test_an_invalid_url_has_its_own_code(url: str, code: str) -> None:
    assert [problem.code for problem in content.read([image(url=url)]).problems] == [code]


def test_on_2_5_a_first_frame_excludes_a_ratio() -> None:
    assert refused(TWENTY_FIVE, [TEXT, image()], ratio="16:9") == ["ratio"]
    assert refused(TWENTY_FIVE, [TEXT], ratio="16:9") == []


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        (PRO, "seedance-1-0-pro"),
        ("seedance-1-0-pro-250528", "seedance-1-0-pro"),
        ("doubao-seedance-2-0-260128", "seedance-2-0"),
        (TWO, "seedance-2-0"),
        ("ep-20261101-abcde", "seedance-1-0-pro"),
        ("seedance-2-0-260128", None),
        ("dreamina-seedance-1-0-pro-250528", None),
        ("sora-2", None),
    ],
)
def test_ids_of_both_regions_are_known(model_id: str, name: str | None) -> None:
    found = video_models.find(model_id)
    assert (found.name if found else None) == name
