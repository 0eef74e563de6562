"""The list of models from the matrix that requests are validated with, and a price table. Pure."""

from collections.abc import Iterator
from itertools import groupby, product

from telecine_contracts.pricing import NotSold, PricedInputs, PriceTable, Tier
from telecine_contracts.video_models import MODELS, VideoModel
from telecine_gateway.videos.request_rules import DEFAULT_DURATION, MAX_PRIORITY, RequestRules

from .schemas import Model, ModelList, ModePrices, ModeRatios, PriceRange, ReferenceCounts, Seconds

__all__ = ["list_models"]


def list_models(rules: RequestRules, table: PriceTable) -> ModelList:
    """The models that `rules` offer, with the prices of `table`."""
    return ModelList(
        default_model=rules.default_model,
        price_table=table.version,
        models=[_model(MODELS[name], table) for name in rules.models],
    )


def _model(model: VideoModel, table: PriceTable) -> Model:
    prices = list(_prices(model, table))
    sold = {line.resolution for line in prices}
    limits = model.references
    return Model(
        name=model.name,
        modes=list(model.modes),
        resolutions=[resolution for resolution in model.resolutions if resolution in sold],
        seconds=Seconds(
            shortest=model.durations[0],
            longest=model.durations[1],
            default=DEFAULT_DURATION,
            chosen_by_model=model.chooses_duration,
        ),
        ratios=[
            ModeRatios(mode=mode, ratios=list(model.ratios(mode)), default=model.default_ratio(mode))
            for mode in model.modes
        ],
        references=limits
        and ReferenceCounts(
            images=limits.images, videos=limits.videos, audio=limits.audio, audio_alone=limits.audio_alone
        ),
        generate_audio=model.generate_audio,
        camera_fixed=model.camera_fixed,
        draft=model.draft,
        service_tiers=list(_tiers(model)),
        priorities=[0, MAX_PRIORITY] if model.priority else None,
        prices=prices,
    )


def _tiers(model: VideoModel) -> tuple[Tier, ...]:
    return ("default", "flex") if model.flex else ("default",)


def _prices(model: VideoModel, table: PriceTable) -> Iterator[ModePrices]:
    audio = (False, True) if model.generate_audio else (False,)
    input_video = (False, True) if model.references and model.references.videos else (False,)
    for resolution, sound, video, tier in product(model.resolutions, audio, input_video, _tiers(model)):
        credits = {
            seconds: price
            for seconds in range(model.durations[0], model.durations[1] + 1)
            if (
                price := _credits(
                    table,
                    PricedInputs(
                        model=model.name,
                        resolution=resolution,
                        seconds=seconds,
                        audio=sound,
                        input_video=video,
                        tier=tier,
                    ),
                )
            )
        }
        if credits:
            yield ModePrices(
                resolution=resolution,
                generate_audio=sound,
                input_video=video,
                service_tier=tier,
                seconds=list(_ranges(credits)),
            )


def _credits(table: PriceTable, inputs: PricedInputs) -> int | None:
    try:
        return table.credits(inputs)
    except NotSold:
        return None


def _ranges(credits: dict[int, int]) -> Iterator[PriceRange]:
    """Lengths in a row that cost the same."""
    lengths = list(enumerate(credits.items()))
    for _, found in groupby(lengths, key=lambda each: (each[1][0] - each[0], each[1][1])):
        run = [length for _, length in found]
        yield PriceRange(shortest=run[0][0], longest=run[-1][0], credits=run[0][1])
