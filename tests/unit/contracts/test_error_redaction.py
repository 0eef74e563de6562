"""What is wrong with a value is told without the value: it may be a prompt, a key or a signed URL."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest
from pydantic import BaseModel, ValidationError

import telecine_chassis
import telecine_contracts
import telecine_generation
from telecine_contracts import registry
from telecine_contracts.gateway import GenerationRequested, VideoParameters

PACKAGES = (telecine_contracts, telecine_chassis, telecine_generation)
"""Those that read what others wrote into models; the gateway's own models only describe its answers."""


def models() -> Iterator[type[BaseModel]]:
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for found in vars(import_module(module.name)).values():
                own = isinstance(found, type) and found.__module__ == module.name
                if own and issubclass(found, BaseModel) and not hasattr(found, "__table__"):
                    yield found


def test_every_model_keeps_values_out_of_its_errors() -> None:
    found = list(models())
    assert len(found) > 40
    assert [model.__name__ for model in found if not model.model_config.get("hide_input_in_errors")] == []


def test_a_prompt_of_a_wrong_type_is_not_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        VideoParameters.model_validate({"prompt": ["canary"], "model": 1})
    assert "canary" not in str(caught.value)


def test_an_event_that_is_not_understood_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="not as the schema says") as caught:
        registry().decode(
            GenerationRequested.type, b'{"account": "ann", "parameters": {"prompt": ["canary"]}}'
        )
    assert caught.value.__cause__ is None
    assert "canary" not in str(caught.value)
