"""The gateway's matrix of models and the emulator's, which were written apart, refuse the same requests.

The gateway refuses what a provider would refuse after the payment, and nothing else, except for what would have no
effect and what telecine does not offer.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telecine_contracts.video_models import MODELS, RATIOS, RESOLUTIONS, provider_model
from telecine_emulator.api import content, validation, video_models
from telecine_gateway.http.errors import InvalidRequest
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import RequestRules
from telecine_generation.provider.ark_wire import create_body
from telecine_generation.provider.port import SubmitRequest

RULES = RequestRules(tuple(MODELS), next(iter(MODELS)))
URL = "https://media.example.com/1"
FIELDS = {
    "resolution": "resolution",
    "ratio": "ratio",
    "duration": "duration",
    "cameraFixed": "camera_fixed",
    "generateAudio": "generate_audio",
    "draft": "draft",
    "serviceTier": "service_tier",
    "priority": "priority",
    "lastFrameUrl": "content",
    "references": "content",
}
"""The provider's field for each of the gateway's."""

REFERENCES = st.fixed_dictionaries(
    {kind: st.sampled_from([0, 0, 1, 2, 3, 4, 9, 10, 11]) for kind in ("image", "video", "audio")}
).map(lambda counts: [{"type": kind, "url": URL} for kind, count in counts.items() for _ in range(count)])
INPUTS = st.one_of(
    st.just({}),
    st.just({"imageUrl": URL}),
    st.just({"imageUrl": URL, "lastFrameUrl": URL}),
    st.just({"lastFrameUrl": URL}),
    REFERENCES.filter(bool).map(lambda items: {"references": items}),
    REFERENCES.filter(bool).map(lambda items: {"references": items, "imageUrl": URL}),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "resolution": st.sampled_from(RESOLUTIONS),
        "ratio": st.sampled_from((*RATIOS, "adaptive")),
        "duration": st.integers(-1, 32),
        "seed": st.integers(-1, 2**32 - 1),
        "watermark": st.booleans(),
        "cameraFixed": st.booleans(),
        "generateAudio": st.booleans(),
        "draft": st.booleans(),
        "serviceTier": st.sampled_from(["default", "flex"]),
        "priority": st.integers(0, 9),
    },
)
BODIES = st.builds(
    lambda model, inputs, options: {"model": model, "prompt": "a kite"} | inputs | options,
    st.sampled_from(sorted(MODELS)),
    INPUTS,
    OPTIONS,
)


def refused_by_provider(body: dict[str, Any]) -> set[str]:
    """The fields that the emulator names."""
    model = video_models.find(body["model"])
    assert model is not None
    read = content.read(body["content"])
    return {problem.param.partition(".")[0] for problem in validation.problems(body, read, model)}


def as_sent(body: dict[str, Any]) -> dict[str, Any]:
    """The request word for word, as a client of the provider would make it."""
    items: list[dict[str, Any]] = [{"type": "text", "text": body["prompt"]}]
    for field, role in (("imageUrl", "first_frame"), ("lastFrameUrl", "last_frame")):
        if field in body:
            items.append({"type": "image_url", "image_url": {"url": body[field]}, "role": role})
    for item in body.get("references", ()):
        name = f"{item['type']}_url"
        items.append({"type": name, name: {"url": item["url"]}, "role": f"reference_{item['type']}"})
    given = {wire: body[field] for field, wire in FIELDS.items() if wire != "content" and field in body}
    return {"model": body["model"], "content": items} | given


def has_no_effect(field: str, model: str) -> bool:
    """What the provider accepts for a model, and ignores: a priority and sound with 1.0."""
    return field in ("priority", "generateAudio") and "-1-0-" in model


@settings(max_examples=1000, deadline=None)
@given(BODIES, st.booleans())
def test_the_provider_accepts_what_the_gateway_accepts(body: dict[str, Any], byteplus: bool) -> None:
    try:
        request = GenerateBody.parse(body, RULES)
    except InvalidRequest:
        return
    parameters = request.parameters
    model = provider_model(parameters.model, byteplus=byteplus)
    submission = SubmitRequest(model, parameters, 7, "mark", "https://gateway.example.com/c", 3600)
    assert refused_by_provider(create_body(submission)) == set()


@settings(max_examples=1000, deadline=None)
@given(BODIES)
def test_the_provider_refuses_what_the_gateway_refuses(body: dict[str, Any]) -> None:
    try:
        GenerateBody.parse(body, RULES)
    except InvalidRequest as error:
        named = {bad.field for bad in error.fields}
    else:
        return
    refused = refused_by_provider(as_sent(body))
    # Of inputs that contradict each other it is not known what the ratio would be for.
    is_contradictory = ("imageUrl" in body) is ("references" in body) and {
        "references",
        "lastFrameUrl",
    } & body.keys()
    for field in named:
        if has_no_effect(field, body["model"]) or (field == "ratio" and is_contradictory):
            continue
        assert FIELDS[field] in refused


@settings(max_examples=500, deadline=None)
@given(BODIES)
def test_what_the_provider_was_asked_for_is_what_the_user_asked_for(body: dict[str, Any]) -> None:
    """Nothing is dropped: every field that the user sent arrives, unless it asks for what happens anyway."""
    try:
        parameters = GenerateBody.parse(body, RULES).parameters
    except InvalidRequest:
        return
    sent = create_body(SubmitRequest(body["model"], parameters, 7, "mark", None, None))
    for name, value in as_sent(body).items():
        if name == "content":
            assert [item.get("role") for item in sent["content"]] == _roles(value)
        elif value not in (False, 0, "default"):
            assert sent[name] == value


def _roles(items: list[dict[str, Any]]) -> list[str | None]:
    """A single first frame needs no role."""
    roles = [item.get("role") for item in items]
    return [None if role == "first_frame" and "last_frame" not in roles else role for role in roles]
