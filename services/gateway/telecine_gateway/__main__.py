"""Run the gateway: `python -m telecine_gateway`."""

from telecine_chassis.runtime.service import run

from .app import build
from .settings import Settings

if __name__ == "__main__":
    run(Settings, build)
