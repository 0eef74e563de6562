"""The list of models says what requests may have, and what they cost."""

from decimal import Decimal

import pytest

from telecine_contracts.price_files import built_in_table
from telecine_contracts.pricing import PriceTable, Rate
from telecine_contracts.video_models import MODELS
from telecine_gateway.http.errors import InvalidRequest
from telecine_gateway.models.schemas import Model
from telecine_gateway.models.serializers import list_models
from telecine_gateway.videos.request.schemas import GenerateBody
from telecine_gateway.videos.request_rules import RequestRules

RULES = RequestRules(tuple(MODELS), next(iter(MODELS)))
TABLE = built_in_table()
LISTED = {model.name: model for model in list_models(RULES, TABLE).models}


@pytest.mark.parametrize("model", LISTED.values(), ids=lambda model: model.name)
def test_what_is_listed_is_accepted_at_the_price_that_is_listed(model: Model) -> None:
    for line in model.prices:
        video = [{"type": "video", "url": "https://media.example.com/1"}] if line.input_video else None
        for length in line.seconds:
            body = {
                "model": model.name,
                "prompt": "a kite",
                "resolution": line.resolution,
                "duration": length.longest,
                "generateAudio": line.generate_audio,
                "serviceTier": line.service_tier,
                "references": video,
            }
            parameters = GenerateBody.parse(body, RULES).parameters
            assert TABLE.credits(parameters.priced_inputs()) == length.credits


@pytest.mark.parametrize("model", LISTED.values(), ids=lambda model: model.name)
def test_what_is_not_listed_is_refused(model: Model) -> None:
    wanted = {
        "cameraFixed": None if model.camera_fixed else True,
        "generateAudio": None if model.generate_audio else True,
        "draft": None if model.draft else True,
        "serviceTier": None if "flex" in model.service_tiers else "flex",
        "priority": None if model.priorities else 1,
        "duration": model.seconds.longest + 1,
    }
    with pytest.raises(InvalidRequest) as error:
        GenerateBody.parse({"model": model.name, "prompt": "a kite"} | wanted, RULES)

    assert {bad.field for bad in error.value.fields} == {name for name in wanted if wanted[name]}


def test_only_what_has_a_price_is_listed() -> None:
    name = RULES.default_model
    table = PriceTable(version="t", rates=(Rate(resolutions=("480p",), per_clip=Decimal(7)),))

    (model,) = list_models(RequestRules((name,), name), table).models
    assert model.resolutions == ["480p"]
    assert {(line.resolution, line.service_tier) for line in model.prices} == {
        ("480p", "default"),
        ("480p", "flex"),
    }
    assert [(each.shortest, each.longest, each.credits) for each in model.prices[0].seconds] == [(2, 12, 7)]
