"""Every field of a request for a video is validated before any credit moves."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine_contracts.gateway import Kind
from telecine_contracts.video_models import MODELS
from telecine_gateway.http.errors import InvalidRequest
from telecine_gateway.videos.request_rules import MAX_PROMPT, RequestRules
from telecine_gateway.videos.schemas import GenerateBody

PRO, FAST, PRO_15, SEEDANCE_2 = (
    "doubao-seedance-1-0-pro-250528",
    "doubao-seedance-1-0-pro-fast-251015",
    "doubao-seedance-1-5-pro-251215",
    "doubao-seedance-2-0-260128",
)
FIELDS = tuple(str(field.alias) for field in GenerateBody.model_fields.values())
RULES = RequestRules((PRO, FAST, PRO_15, SEEDANCE_2), PRO)
IMAGE = "https://images.example.com/cat.jpg"


def refused(body: dict[str, Any]) -> dict[str, str]:
    """The bad fields and what is said about them."""
    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse(body, RULES)
    return {bad.field: bad.message for bad in error.value.fields}


def test_defaults_are_explicit() -> None:
    request = GenerateBody.parse({"prompt": "a cat"}, RULES)

    parameters = request.parameters
    assert request.kind is Kind.TEXT_TO_VIDEO
    assert (parameters.model, parameters.resolution, parameters.duration) == (PRO, "720p", 5)
    assert (parameters.ratio, parameters.watermark, parameters.camera_fixed) == ("16:9", False, None)
    assert (parameters.seed, parameters.image_url, parameters.last_frame_url) == (None, None, None)


def test_a_complete_request_is_parsed() -> None:
    body = {
        "prompt": "it moves",
        "imageUrl": IMAGE,
        "lastFrameUrl": IMAGE + "?2",
        "resolution": "1080p",
        "duration": 12.0,
        "watermark": True,
        "cameraFixed": True,
        "ratio": "9:16",
        "seed": 4294967295,
        "model": PRO,
    }

    request = GenerateBody.parse(body, RULES)

    assert set(body) == set(FIELDS) - {"quote"}
    assert request.kind is Kind.IMAGE_TO_VIDEO
    assert request.parameters.model_dump() == {
        "model": PRO,
        "prompt": "it moves",
        "image_url": IMAGE,
        "last_frame_url": IMAGE + "?2",
        "resolution": "1080p",
        "ratio": "9:16",
        "duration": 12,
        "seed": 4294967295,
        "watermark": True,
        "camera_fixed": True,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": None, "imageUrl": None},
        {"prompt": ""},
        {"prompt": " \n\t"},
        {"imageUrl": "", "duration": 9},
    ],
)
def test_prompt_or_image_is_required(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse(body, RULES)

    assert error.value.message == "Either prompt or imageUrl is required"
    assert error.value.fields == ()


def test_other_invalid_fields_are_named_with_a_missing_prompt() -> None:
    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse({"resolution": "banana", "size": 1}, RULES)

    assert error.value.message.startswith("Either prompt or imageUrl is required; ")
    assert [bad.field for bad in error.value.fields] == ["size", "resolution"]


def test_null_counts_as_absent() -> None:
    nulls = dict.fromkeys(FIELDS, None) | {"prompt": "a cat"}

    assert GenerateBody.parse(nulls, RULES) == GenerateBody.parse({"prompt": "a cat"}, RULES)


@pytest.mark.parametrize(("value", "seconds"), [(2, 2), (12, 12), (5.0, 5)])
def test_valid_durations_are_accepted(value: float, seconds: int) -> None:
    assert GenerateBody.parse({"prompt": "x", "duration": value}, RULES).parameters.duration == seconds


@pytest.mark.parametrize("value", [5.5, True, "5", [], {}, "", float("inf")])
def test_durations_other_than_whole_seconds_are_refused(value: object) -> None:
    assert refused({"prompt": "x", "duration": value}) == {"duration": "must be a whole number of seconds"}


@pytest.mark.parametrize("value", [0, 1, 13, 15, -1, 99999, 10**30])
def test_duration_error_names_the_range_and_other_models(value: int) -> None:
    message = refused({"prompt": "x", "duration": value})["duration"]

    assert message.startswith(f"must be from 2 to 12 seconds for {PRO}")
    takes = MODELS[SEEDANCE_2].takes(value)
    assert (SEEDANCE_2 in message) is takes
    assert ("no configured model" in message) is not takes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", 5),
        ("prompt", ["a"]),
        ("prompt", "x" * (MAX_PROMPT + 1)),
        ("prompt", "nul\x00"),
        ("prompt", "escape \x1b[31m"),
        ("prompt", "half \ud800"),
        ("prompt", "turned \u202eround"),
        ("imageUrl", 5),
        ("imageUrl", "ftp://images.example.com/cat.jpg"),
        ("imageUrl", "http://127.0.0.1/cat.jpg"),
        ("lastFrameUrl", IMAGE),
        ("lastFrameUrl", 1),
        ("resolution", "banana"),
        ("resolution", "4k"),
        ("resolution", 720),
        ("resolution", ""),
        ("watermark", "yes"),
        ("watermark", 1),
        ("cameraFixed", "true"),
        ("ratio", "2:1"),
        ("ratio", "adaptive"),
        ("seed", -2),
        ("seed", 2**32),
        ("seed", 1.5),
        ("seed", True),
        ("seed", "1"),
        ("model", "gpt"),
        ("model", ["a"]),
        ("model", "doubao-seedance-2-5-260628"),
        ("priority", 9),
        ("account", "other"),
        ("", 1),
    ],
)
def test_invalid_fields_are_named(field: str, value: object) -> None:
    assert list(refused({"prompt": "x"} | {field: value})) == [field]


def test_all_invalid_fields_are_reported_together() -> None:
    body = {"prompt": "x", "duration": 99, "resolution": "banana", "seed": "a", "watermark": 0, "extra": 1}

    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse(body, RULES)

    assert {bad.field for bad in error.value.fields} == {
        "duration",
        "resolution",
        "seed",
        "watermark",
        "extra",
    }
    for bad in error.value.fields:
        assert f"{bad.field} {bad.message}" in error.value.message


def test_seed_minus_one_means_any() -> None:
    assert GenerateBody.parse({"prompt": "x", "seed": -1}, RULES) == GenerateBody.parse(
        {"prompt": "x"}, RULES
    )
    assert GenerateBody.parse({"prompt": "x", "seed": 0}, RULES).parameters.seed == 0


def test_fields_are_checked_against_the_model() -> None:
    with_image = {"imageUrl": IMAGE}

    assert list(refused(with_image | {"lastFrameUrl": IMAGE, "model": FAST})) == ["lastFrameUrl"]
    assert list(refused({"prompt": "x", "cameraFixed": True, "model": SEEDANCE_2})) == ["cameraFixed"]
    assert (
        GenerateBody.parse(
            {"prompt": "x", "cameraFixed": False, "model": SEEDANCE_2}, RULES
        ).parameters.camera_fixed
        is None
    )
    assert GenerateBody.parse({"prompt": "x", "cameraFixed": False}, RULES).parameters.camera_fixed is False
    assert (
        GenerateBody.parse({"prompt": "x", "duration": 15, "model": SEEDANCE_2}, RULES).parameters.duration
        == 15
    )
    assert GenerateBody.parse(with_image, RULES).parameters.ratio == "adaptive"
    assert (
        GenerateBody.parse({"prompt": "x", "ratio": "adaptive", "model": PRO_15}, RULES).parameters.ratio
        == "adaptive"
    )


def test_ratio_is_refused_if_the_image_decides_it() -> None:
    rules = RequestRules(("doubao-seedance-2-5-260628",), "doubao-seedance-2-5-260628")

    assert GenerateBody.parse({"imageUrl": IMAGE}, rules).parameters.ratio is None
    with pytest.raises(InvalidRequest, match="the image decides"):
        GenerateBody.parse({"imageUrl": IMAGE, "ratio": "16:9"}, rules)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ("--resolution 1080p", "resolution"),
        ("--rs 1080p", "resolution"),
        ("--ratio 1:1", "ratio"),
        ("--rt=1:1", "ratio"),
        ("--duration 12", "duration"),
        ("--dur=12", "duration"),
        ("--frames 57", "duration"),
        ("--framespersecond 24", "frame rate"),
        ("--fps 24", "frame rate"),
        ("--seed 1", "seed"),
        ("--camerafixed true", "cameraFixed"),
        ("--cf true", "cameraFixed"),
        ("--watermark true", "watermark"),
        ("--wm true", "watermark"),
        ("--DURATION 12", "duration"),
        ("--dur12", "duration"),
        ("－－resolution 1080p", "resolution"),
        ("--rs", "resolution"),
        ("the end--rs 1080p", "resolution"),
        ("---rs 1080p", "resolution"),
        ("--rat\u0131o 1:1", "ratio"),  # dotless i
        ("--rat\u0130o 1:1", "ratio"),  # capital I with a dot
        ("--re\u017folution 1080p", "resolution"),  # long s
        ("--wate\u24e1mar\u212a true", "watermark"),  # circled r, Kelvin sign
        ("--\u200bresolution 1080p", "resolution"),  # zero-width space
        ("-\u00ad-re\u2060so\u200dlution 1080p", "resolution"),  # soft hyphen, joiners
        ("--\u202eresolution\u202c 1080p", "resolution"),
        ("--\u00a0rs 1080p", "resolution"),  # no-break space
        ("--rs\u00a0large", "resolution"),
        ("--rs\u200blarge", "resolution"),
        ("--\U000e0072\ufe0fcf true", "cameraFixed"),  # a tag and a variation selector
        ("\u2010\u2011rs 1080p", "resolution"),
        ("\u2013\u2013rs 1080p", "resolution"),  # what an editor makes of two hyphens
    ],
)
def test_text_commands_are_refused(command: str, field: str) -> None:
    message = refused({"prompt": f"a cat {command}"})["prompt"]

    assert "text command" in message
    assert field in message


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat -- a black one",
        "a cat — resolution of the plot",
        "--during the night",
        "--frames-like borders",
        "--seedling grows",
        "use --verbose",
        "- seed: a small thing",
        "line one\nline two\twith a tab\r\n",
        "emoji 🎬 and 中文",
        "破折号——resolution of the plot",
        "a family 👨\u200d👩\u200d👧, سلام\u200f and the golden -- ratio",
        "isolated \u2067שלום\u2069",
        "--rátio is another word",
        "x" * MAX_PROMPT,
    ],
)
def test_harmless_prompts_are_accepted(prompt: str) -> None:
    assert GenerateBody.parse({"prompt": prompt}, RULES).parameters.prompt == prompt


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([IMAGE, "720p", "16:9", PRO, SEEDANCE_2, "adaptive", "--rs 1080p"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON, max_size=10))
def test_any_body_is_parsed_or_refused(body: dict[str, Any]) -> None:
    try:
        request = GenerateBody.parse(body, RULES)
    except InvalidRequest as error:
        assert error.message
    else:
        assert isinstance(request, GenerateBody)
        model = MODELS[request.parameters.model]
        assert model.takes(request.parameters.duration)
        assert request.parameters.resolution in model.resolutions
