"""Run the generation service: `python -m telecine_generation`."""

from telecine_chassis.runtime.service import run

from .app import build
from .settings import Settings

if __name__ == "__main__":
    run(Settings, build)
