"""Settings of the credits service."""

from telecine_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """The credits service needs nothing beyond what every service needs."""
