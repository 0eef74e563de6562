"""Every metric that the services have, found by putting the services together, without starting them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import telecine_credits.app
import telecine_credits.settings
import telecine_gateway.app
import telecine_gateway.settings
import telecine_generation.app
import telecine_generation.settings
import telecine_storage.app
import telecine_storage.settings
from telecine_chassis.service import Service
from telecine_chassis.settings import ServiceSettings
from telecine_credits.checkpoint_key import Signer

__all__ = ["SERVICES", "families", "samples"]

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
SERVICES: Mapping[str, tuple[Callable[..., ServiceSettings], Callable[..., Service]]] = {
    "gateway": (telecine_gateway.settings.Settings, telecine_gateway.app.build),
    "credits": (telecine_credits.settings.Settings, telecine_credits.app.build),
    "generation": (telecine_generation.settings.Settings, telecine_generation.app.build),
    "storage": (telecine_storage.settings.Settings, telecine_storage.app.build),
}


def families(folder: Path) -> dict[str, dict[str, str]]:
    """Name and type of every metric of ours, by service."""
    nowhere = "http://127.0.0.1:9"
    facts: dict[str, Any] = {
        "database_url": f"sqlite:///{folder}/nothing.db",
        "provider_base_url": nowhere,
        "provider_api_key": "key-of-the-tests",
        "s3_endpoint": nowhere,
        "s3_bucket": "nothing",
        "s3_access_key": "nobody",
        "s3_secret_key": "a secret of the tests",
        "content_secret": "another secret of the tests",
        "callback_secret": "a third secret of the tests",
        "checkpoint_key": Signer.new("tests").secret_text(),
    }
    found = {}
    for name, (settings, build) in SERVICES.items():
        collected = build(settings(**facts)).metrics.registry.collect()
        ours = {family.name: family.type for family in collected if family.name.startswith("telecine_")}
        found[name] = {name + ("_total" if kind == "counter" else ""): kind for name, kind in ours.items()}
    return found


def samples(found: Mapping[str, Mapping[str, str]]) -> set[str]:
    """The names under which all these are queried."""
    return {
        name.removesuffix("_total") + suffix
        for metrics in found.values()
        for name, kind in metrics.items()
        for suffix in SUFFIXES[kind]
    }
