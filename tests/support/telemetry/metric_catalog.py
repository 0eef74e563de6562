"""Every metric that the services have, found by putting the services together, without starting them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

import telecine_credits.app
import telecine_credits.settings
import telecine_gateway.app
import telecine_gateway.settings
import telecine_generation.app
import telecine_generation.settings
import telecine_storage.app
import telecine_storage.settings
from telecine_auditor.mirror.metrics import FOLLOWED
from telecine_chassis.runtime.service import Service
from telecine_chassis.settings.base import ServiceSettings
from telecine_credits.checkpoints.key import Signer

__all__ = ["SERVICES", "metric_families", "metric_labels", "sample_names"]

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
SERVICES: Mapping[str, tuple[Callable[..., ServiceSettings], Callable[..., Service]]] = {
    "gateway": (telecine_gateway.settings.Settings, telecine_gateway.app.build),
    "credits": (telecine_credits.settings.Settings, telecine_credits.app.build),
    "generation": (telecine_generation.settings.Settings, telecine_generation.app.build),
    "storage": (telecine_storage.settings.Settings, telecine_storage.app.build),
}


def metric_families(folder: Path) -> dict[str, dict[str, str]]:
    """Name and type of every metric of ours, by service."""
    found = {}
    for name, service in _build_services(folder).items():
        collected = service.metrics.registry.collect()
        ours = {family.name: family.type for family in collected if family.name.startswith("telecine_")}
        found[name] = {name + ("_total" if kind == "counter" else ""): kind for name, kind in ours.items()}
    return found | {"mirror": {FOLLOWED: "gauge"}}


def metric_labels(folder: Path) -> dict[str, set[str]]:
    """The labels of every series of ours, by the name under which it is queried."""
    found: dict[str, set[str]] = {FOLLOWED: set()}
    for service in _build_services(folder).values():
        for metric in service.metrics.registry._collector_to_names:
            if isinstance(metric, MetricWrapperBase):
                for suffix in SUFFIXES[str(metric._type)]:
                    own = {"le"} if suffix == "_bucket" else set()
                    found[metric._name + suffix] = own | set(metric._labelnames)
    return found


def _build_services(folder: Path) -> dict[str, Service]:
    nowhere = "http://127.0.0.1:9"
    facts: dict[str, Any] = {
        "database_url": f"sqlite:///{folder}/nothing.db",
        "provider_base_url": nowhere,
        "provider_api_key": "key-of-the-tests-5fR8uLc2Wd1B",
        "s3_endpoint": nowhere,
        "s3_bucket": "nothing",
        "s3_access_key": "unused",
        "s3_secret_key": "a secret of the tests",
        "content_secret": "content secret of the tests 7mQ2vX9rTb4K",
        "callback_secret": "callback secret of the tests Zk3Jw8YdPq6N",
        "jwks_url": f"{nowhere}/jwks",
        "jwt_issuer": nowhere,
        "jwt_audiences": (nowhere,),
        "checkpoint_key": Signer.new("tests").secret_text(),
    }
    return {name: build(settings(**facts)) for name, (settings, build) in SERVICES.items()}


def sample_names(found: Mapping[str, Mapping[str, str]]) -> set[str]:
    """The names under which all these are queried."""
    return {
        name.removesuffix("_total") + suffix
        for metrics in found.values()
        for name, kind in metrics.items()
        for suffix in SUFFIXES[kind]
    }
