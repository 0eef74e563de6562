"""HTML pages: Jinja2 templates with autoescape, and the Content-Security-Policy that fits a page."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["content_security_policy", "template_environment"]


def template_environment(filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """The templates of the gateway, with `filters` besides those that every page may use."""
    environment = Environment(
        loader=PackageLoader("telecine_gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"indented_json": _indented_json, **filters}
    return environment


def content_security_policy(style: str) -> str:
    """The policy of a page with this one style sheet: no script, no form, no frame, and nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{nothing}; style-src 'sha256-{digest}'"


def _indented_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
