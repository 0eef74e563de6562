"""What each video model takes, as the vendor's documents and live probes say."""

import pytest

from telecine_contracts.video_models import (
    DEFAULT_MODEL,
    MODELS,
    RATIOS,
    RESOLUTIONS,
    Mode,
    VideoModel,
    models_taking,
    provider_model,
)

PRO = MODELS["doubao-seedance-1-0-pro-250528"]
PRO_FAST = MODELS["doubao-seedance-1-0-pro-fast-251015"]
PRO_1_5 = MODELS["doubao-seedance-1-5-pro-251215"]
MODEL_2_0 = MODELS["doubao-seedance-2-0-260128"]
MODEL_2_0_FAST = MODELS["doubao-seedance-2-0-fast-260128"]
MODEL_2_5 = MODELS["doubao-seedance-2-5-260628"]


@pytest.mark.parametrize(
    ("model", "shortest", "longest"),
    [(PRO, 2, 12), (PRO_FAST, 2, 12), (PRO_1_5, 4, 12), (MODEL_2_0, 4, 15), (MODEL_2_5, 4, 30)],
    ids=lambda value: value.name if isinstance(value, VideoModel) else "",
)
def test_durations(model: VideoModel, shortest: int, longest: int) -> None:
    assert model.takes(shortest)
    assert model.takes(longest)
    assert not model.takes(shortest - 1)
    assert not model.takes(longest + 1)


def test_the_default_is_the_one_that_the_seed_uses() -> None:
    assert PRO.name == DEFAULT_MODEL
    assert PRO.resolutions == ("480p", "720p", "1080p")


def test_models_are_selected_by_duration() -> None:
    assert models_taking(15, MODELS) == [
        name for name in MODELS if name.startswith(("doubao-seedance-2-0", "doubao-seedance-2-5"))
    ]
    assert models_taking(31, MODELS) == []


def test_resolutions() -> None:
    assert MODEL_2_0_FAST.resolutions == ("480p", "720p")
    assert all(set(model.resolutions) <= set(RESOLUTIONS) for model in MODELS.values())


def test_ratios() -> None:
    assert "adaptive" not in PRO.ratios(Mode.TEXT)
    assert "adaptive" in PRO.ratios(Mode.FIRST_FRAME)
    assert "adaptive" in PRO_1_5.ratios(Mode.TEXT)
    assert "adaptive" in MODEL_2_5.ratios(Mode.REFERENCES)
    for mode in (Mode.FIRST_FRAME, Mode.FIRST_AND_LAST_FRAME):
        assert MODEL_2_5.ratios(mode) == ()
        assert MODEL_2_5.default_ratio(mode) is None


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
@pytest.mark.parametrize("mode", Mode)
def test_the_default_ratio_is_one_that_the_model_takes(model: VideoModel, mode: Mode) -> None:
    default, taken = model.default_ratio(mode), model.ratios(mode)
    assert default in taken if taken else default is None
    assert set(taken) <= {*RATIOS, "adaptive"}


def test_models_declare_their_features() -> None:
    assert not PRO_FAST.last_frame
    assert PRO.last_frame
    assert PRO.camera_fixed
    assert not MODEL_2_0.camera_fixed
    assert [model.name for model in MODELS.values() if model.draft] == [PRO_1_5.name]
    assert {model.name for model in MODELS.values() if model.flex} == {PRO.name, PRO_FAST.name, PRO_1_5.name}
    assert not any(model.generate_audio for model in (PRO, PRO_FAST))
    assert MODEL_2_0.resolutions[-1] == "4k"


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_only_models_with_the_mode_have_references(model: VideoModel) -> None:
    assert (Mode.REFERENCES in model.modes) == (model.references is not None)


def test_references_are_limited_by_type() -> None:
    assert MODEL_2_0.references is not None
    assert MODEL_2_5.references is not None
    assert [MODEL_2_5.references.most(kind) for kind in ("image", "video", "audio", "text")] == [
        30,
        10,
        10,
        0,
    ]
    assert (MODEL_2_0.references.most("image"), MODEL_2_0.references.audio_alone) == (9, False)


def test_the_timeout_is_five_minutes_unless_the_clip_is_large_or_long() -> None:
    assert PRO.deadline("720p", 10) == 300
    assert PRO.deadline("1080p", 5) == 600
    assert PRO.deadline("480p", 11) == 600
    assert MODEL_2_0.deadline("4k", 5) == 2 * MODEL_2_0.deadline("1080p", 5)
    assert PRO.deadline("480p", 5, flex=True) == 24 * 3600
    assert all(model.slow_patience >= model.patience >= 300 for model in MODELS.values())


def test_tokens_count_one_frame_more_than_asked_for() -> None:
    assert PRO.tokens(1248, 704, 5) == 1248 * 704 * (24 * 5 + 1) // 1024


def test_byteplus_knows_the_models_by_other_names() -> None:
    assert provider_model(PRO.name, byteplus=True) == "seedance-1-0-pro-250528"
    assert provider_model(PRO.name, byteplus=False) == PRO.name
    assert provider_model("ep-custom", byteplus=True) == "ep-custom"
    assert len({model.byteplus for model in MODELS.values()}) == len(MODELS)
