"""Settings of the generation service. Times in seconds."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_core import from_json
from pydantic_settings import NoDecode

from telecine_chassis.settings.database import DatabaseSettings, DatabaseUrl
from telecine_chassis.settings.secrets import ChosenSecret
from telecine_contracts.video_models import MODELS

Limits = Annotated[dict[str, int], NoDecode]


class Settings(DatabaseSettings):
    """The provider's address, and the times and limits of submitting and polling."""

    database_url: DatabaseUrl = "sqlite:///data/generation.db"
    provider_base_url: Annotated[
        str, Field(description="Volcano Ark or BytePlus ModelArk; a key belongs to one region")
    ] = "https://ark.cn-beijing.volces.com/api/v3"
    provider_api_key: Annotated[SecretStr, Field(description="API key of the provider")]
    provider_post_timeout: Annotated[float, Field(gt=0, description="Timeout of a submission")] = 30
    provider_read_timeout: Annotated[
        float, Field(gt=0, description="Timeout of a read (task, list, cancel)")
    ] = 10
    callback_base_url: Annotated[
        str | None,
        Field(
            description="Base URL at which the provider reaches the gateway; without it there is only polling"
        ),
    ] = None
    callback_secret: Annotated[
        ChosenSecret | None, Field(description="Shared with the gateway; signs callback paths")
    ] = None
    submission_lease: Annotated[
        float, Field(gt=0, description="How long after a claim its request may be sent")
    ] = 10
    submission_absent_after: Annotated[
        float,
        Field(
            gt=0,
            description="How long after the last possible request a task that the list lacks counts as not accepted",
        ),
    ] = 30
    submission_unanswered_most: Annotated[
        int,
        Field(
            ge=1,
            description="Submissions without a response after which a generation fails as unresolved: "
            "the largest number of tasks that the provider can have of it",
        ),
    ] = 2
    submission_patience: Annotated[
        float, Field(gt=0, description="After this time no new attempt is made and the credits are refunded")
    ] = 600
    submission_retry_first: Annotated[
        float, Field(gt=0, description="First pause after a 429 or a refused connection")
    ] = 1
    submission_retry_longest: Annotated[float, Field(gt=0, description="Longest such pause")] = 60
    reconcile_interval: Annotated[
        float, Field(gt=0, description="Pause between two searches for a lost submission")
    ] = 5
    poll_interval: Annotated[
        float,
        Field(
            gt=0,
            description="Pause between polls in the first minute; then twice, after three minutes three times as long",
        ),
    ] = 5
    provider_limits: Annotated[
        Limits,
        Field(
            description="Tasks of a model that the provider may have at once, e.g. doubao-seedance-2-0-260128=10; "
            "further generations wait in a fair queue. Several with commas, or JSON. Other models are not queued"
        ),
    ] = {}  # noqa: RUF012
    account_limit: Annotated[
        int | None,
        Field(ge=1, description="Of these, for one account in each model; unset: all of them"),
    ] = None
    capacity_recovery: Annotated[
        float,
        Field(
            gt=0,
            description="For how long a model has fewer places after the provider took no more tasks (429)",
        ),
    ] = 60
    deadline: Annotated[
        float | None,
        Field(gt=0, description="Fails a generation this long after submission; unset: the model table's"),
    ] = None
    deadline_silence: Annotated[
        float,
        Field(
            gt=0,
            description="How long after its deadline a generation fails if the provider does not respond",
        ),
    ] = 60
    late_interval: Annotated[
        float, Field(gt=0, description="First pause between polls for a late result after a timeout")
    ] = 60
    sweep_interval: Annotated[float, Field(gt=0, description="How often lost timers are looked for")] = 60

    @field_validator("provider_limits", mode="before")
    @classmethod
    def _parse_limits(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("{"):
            return from_json(value)
        limits: dict[str, int] = {}
        for part in filter(None, map(str.strip, value.split(","))):
            model, _, number = part.partition("=")
            if not number.isascii() or not number.isdigit():
                raise ValueError(f"{part!r} is not MODEL=NUMBER")
            limits[model.strip()] = int(number)
        return limits

    @field_validator("provider_limits")
    @classmethod
    def _check_limits(cls, limits: dict[str, int]) -> dict[str, int]:
        for model, limit in limits.items():
            if model not in MODELS:
                raise ValueError(f"there is no model {model!r}; known are {', '.join(MODELS)}")
            if limit < 1:
                raise ValueError(f"{model} must have a limit of 1 or more")
        return limits
