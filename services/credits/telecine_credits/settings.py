"""Settings of the credits service. Times in seconds."""

from typing import Annotated

from pydantic import Field

from telecine_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the ledger's service needs to know."""

    database_url: Annotated[str, Field(description="Database of the service's projection")] = (
        "sqlite:///data/credits.db"
    )
    sweep_interval: Annotated[float, Field(gt=0, description="How often lost timers are looked for")] = 60
