"""Settings of the credits service. Times in seconds."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from telecine_chassis.settings.database import DatabaseSettings, DatabaseUrl
from telecine_credits.checkpoints.key import Signer

_S3_NEEDS = (
    "checkpoint_s3_endpoint",
    "checkpoint_s3_bucket",
    "checkpoint_s3_access_key",
    "checkpoint_s3_secret_key",
)


class Settings(DatabaseSettings):
    """Settings of the ledger, of its expiry timers and of checkpoints."""

    database_url: DatabaseUrl = "sqlite:///data/credits.db"
    sweep_interval: Annotated[float, Field(gt=0, description="How often lost timers are restored")] = 60
    hold_limit: Annotated[
        float,
        Field(gt=0, description="Age at which a hold is overdue; longer than a generation may take"),
    ] = 3600
    checkpoint_key: Annotated[
        SecretStr | None,
        Field(description="Signs checkpoints of the ledger: PRIVATE+KEY+<name>+<id>+<base64>; unset: none"),
    ] = None
    checkpoint_entries: Annotated[
        int, Field(ge=1, description="A checkpoint after so many new entries of the ledger")
    ] = 1000
    checkpoint_interval: Annotated[
        float, Field(gt=0, description="And this many seconds after the last one, if there is any new entry")
    ] = 3600
    checkpoint_folder: Annotated[
        Path | None, Field(description="Folder outside NATS that keeps every checkpoint")
    ] = None
    checkpoint_s3_endpoint: Annotated[
        str | None, Field(description="S3 that keeps every checkpoint; unset: none")
    ] = None
    checkpoint_s3_region: Annotated[str, Field(description="Its region; R2 wants auto")] = "auto"
    checkpoint_s3_bucket: Annotated[str | None, Field(description="Its bucket")] = None
    checkpoint_s3_access_key: Annotated[str | None, Field(description="Access key id")] = None
    checkpoint_s3_secret_key: Annotated[SecretStr | None, Field(description="Secret access key")] = None
    checkpoint_s3_prefix: Annotated[str, Field(description="What its keys begin with")] = "checkpoints/"

    @field_validator("checkpoint_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            Signer.of(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        missing = [f"TELECINE_{name.upper()}" for name in _S3_NEEDS if getattr(self, name) is None]
        if 0 < len(missing) < len(_S3_NEEDS):
            raise ValueError(f"a bucket for checkpoints needs {' and '.join(missing)} too")
        return self

    def signer(self) -> Signer | None:
        """The key that signs checkpoints; None if none is set."""
        if self.checkpoint_key is None:
            return None
        return Signer.of(self.checkpoint_key.get_secret_value())
