"""docs/settings.md is what the Settings classes say."""

from pathlib import Path

import pytest

from telecine_cli.settings_page import COMMAND, page, settings_of
from telecine_cli.stack.config import SERVICES

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"run: {COMMAND}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_has_a_description(service: str) -> None:
    silent = [name for name, field in settings_of(service).model_fields.items() if not field.description]
    assert silent == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_on_the_page(service: str) -> None:
    text = page()
    missing = [name for name in settings_of(service).model_fields if f"`TELECINE_{name.upper()}`" not in text]
    assert missing == []
