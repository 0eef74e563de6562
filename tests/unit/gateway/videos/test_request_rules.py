"""Every field of a request for a video is validated before any credit moves."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine_contracts.gateway import Kind
from telecine_contracts.video_models import MODELS
from telecine_gateway.http.errors import InvalidRequest
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import MAX_PROMPT, RequestRules

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
        "serviceTier": "flex",
    }

    request = GenerateBody.parse(body, RULES)

    others = {"quote", "cancelAfter", "references", "draft", "generateAudio", "priority", "returnLastFrame"}
    assert set(body) == set(FIELDS) - others
    assert request.kind is Kind.IMAGE_TO_VIDEO
    assert request.parameters.model_dump(exclude_none=True) == {
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
        "service_tier": "flex",
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
        ("priority", 10),
        ("priority", "1"),
        ("serviceTier", "fast"),
        ("generateAudio", True),
        ("generateAudio", 1),
        ("draft", True),
        ("draft", "yes"),
        ("returnLastFrame", True),
        ("references", [{"type": "image", "url": IMAGE}]),
        ("references", {"type": "image", "url": IMAGE}),
        ("quality", 1),
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


MODEL_20, MODEL_25 = SEEDANCE_2, "doubao-seedance-2-5-260628"
ALL = RequestRules(tuple(MODELS), PRO)


def references(**counts: int) -> list[dict[str, str]]:
    return [
        {"type": kind, "url": f"{IMAGE}?{kind}{n}"} for kind, count in counts.items() for n in range(count)
    ]


def problems_of(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse(body, ALL)
    return {bad.field: bad.message for bad in error.value.fields}


def test_references_get_the_role_of_their_type() -> None:
    body = {"prompt": "x", "model": MODEL_20, "references": references(image=1, audio=1)}

    request = GenerateBody.parse(body, ALL)

    assert request.kind is Kind.IMAGE_TO_VIDEO
    assert request.parameters.ratio == "adaptive"
    assert [(item.type, item.role) for item in request.parameters.references or ()] == [
        ("image", "reference_image"),
        ("audio", "reference_audio"),
    ]
    assert not request.parameters.priced_inputs().input_video


def test_price_inputs_follow_from_the_resolved_request() -> None:
    video = {"prompt": "x", "model": MODEL_25, "references": references(video=1), "generateAudio": True}
    flex = {"prompt": "x", "model": PRO_15, "serviceTier": "flex"}

    inputs = GenerateBody.parse(video, ALL).parameters.priced_inputs()
    assert (inputs.input_video, inputs.audio, inputs.tier) == (True, True, "default")
    inputs = GenerateBody.parse(flex, ALL).parameters.priced_inputs()
    assert (inputs.input_video, inputs.audio, inputs.tier) == (False, False, "flex")


@pytest.mark.parametrize(
    ("model", "items", "message"),
    [
        (PRO_15, references(image=1), "are not supported by"),
        (MODEL_20, references(image=10), "must not have more than 9 images"),
        (MODEL_25, references(video=11), "must not have more than 10 videos"),
        (MODEL_25, references(image=51), "must not be more than 50, but are 51"),
        (MODEL_20, references(audio=1), "must have an image or a video beside the audio"),
        (MODEL_20, ["x"], "item 1: must be an object"),
        (MODEL_20, [*references(image=1), {"type": "text", "url": IMAGE}], "item 2: type must be one of"),
        (MODEL_20, [{"type": "image"}], "item 1: url must be an http or https URL"),
        (
            MODEL_20,
            [{"type": "image", "url": "http://10.0.0.1/x"}],
            "item 1: url must not point to a private",
        ),
        (MODEL_20, [{"type": "image", "url": IMAGE, "role": "first_frame"}], "role must be reference_image"),
        (MODEL_20, [{"type": "image", "url": IMAGE, "strength": 1}], "must not have fields other than"),
    ],
)
def test_references_that_the_model_does_not_take_are_refused(model: str, items: Any, message: str) -> None:
    found = problems_of({"prompt": "x", "model": model, "references": items})

    assert list(found) == ["references"]
    assert message in found["references"]


def test_audio_alone_is_a_reference_for_2_5() -> None:
    body = {"prompt": "x", "model": MODEL_25, "references": references(audio=1)}

    assert GenerateBody.parse(body, ALL).parameters.references


def test_frames_and_references_exclude_each_other() -> None:
    body = {"prompt": "x", "imageUrl": IMAGE, "model": MODEL_20, "references": references(image=1)}

    assert "exclude each other" in problems_of(body)["references"]


def test_references_alone_need_a_prompt() -> None:
    with pytest.raises(InvalidRequest, match="Either prompt or imageUrl is required"):
        GenerateBody.parse({"model": MODEL_20, "references": references(image=1)}, ALL)


def test_a_draft_is_480p_and_not_flex() -> None:
    draft = {"prompt": "x", "model": PRO_15, "draft": True}

    parameters = GenerateBody.parse(draft, ALL).parameters
    assert (parameters.draft, parameters.resolution) == (True, "480p")
    assert list(problems_of(draft | {"resolution": "720p", "serviceTier": "flex"})) == [
        "resolution",
        "serviceTier",
    ]


def test_a_length_that_the_model_chooses_is_priced_at_the_longest() -> None:
    request = GenerateBody.parse({"prompt": "x", "model": MODEL_25, "duration": -1}, ALL)

    assert request.duration == -1
    parameters = request.parameters
    assert (parameters.duration, parameters.duration_chosen_by_model) == (30, True)
    inputs = parameters.priced_inputs()
    assert (inputs.shortest, inputs.seconds) == (4, 30)
    assert "must be from 2 to 12 seconds" in problems_of({"prompt": "x", "duration": -1})["duration"]


def test_audio_is_explicit_for_models_that_make_sound() -> None:
    assert GenerateBody.parse({"prompt": "x", "model": PRO_15}, ALL).parameters.generate_audio is False
    assert GenerateBody.parse({"prompt": "x", "model": PRO}, ALL).parameters.generate_audio is None


@pytest.mark.parametrize("model", MODELS)
def test_a_value_that_asks_for_nothing_is_accepted_for_every_model(model: str) -> None:
    nothing = {
        "cameraFixed": False,
        "generateAudio": False,
        "draft": False,
        "returnLastFrame": False,
        "serviceTier": "default",
        "priority": 0,
        "references": [],
    }

    parameters = GenerateBody.parse({"prompt": "x", "model": model} | nothing, ALL).parameters
    assert (parameters.draft, parameters.service_tier, parameters.references) == (None, None, None)


@pytest.mark.parametrize("model", [MODEL_20, MODEL_25])
def test_fields_that_a_model_lacks_are_all_named(model: str) -> None:
    body = {"cameraFixed": True, "draft": True, "serviceTier": "flex", "resolution": "8k", "duration": 3}

    assert set(problems_of({"prompt": "x", "model": model} | body)) == set(body)


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
