"""The OpenAPI document: what FastAPI generates, with authentication and exact parameter schemas."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from telecine_gateway.access.api_keys import Scope

from .responses import RATE_LIMITED
from .schemas import ONE_LINE, REQUIRED, SCHEMA, SECURITY_SCHEMES

__all__ = ["SCOPES", "Api", "scope_requirement"]

SCOPES = "x-scopes"
"""Where a route tells `Api` which scopes it requires; none: any key is enough."""


NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework's own spans contain paths and queries, and with them tokens; TelemetryMiddleware makes ours."""
_DESCRIPTION = """\
From a prompt or an image to a stored video.

`POST /api/video/generate` answers with an id; `GET /api/video/status` follows it until `completed`, `failed` or
`cancelled`. Credits are reserved when a video is accepted, spent when it is delivered, and given back otherwise.
Every response other than a success is JSON with `error` for people and `code` for programs. The events behind the API
are at `/events`.

A key has scopes: `generate` for everything about videos, `admin` for `/api/admin`; any key can read its account's
credits. A key without the required scope gets 403, which names the scope."""


def scope_requirement(scope: Scope) -> dict[str, Any]:
    """`openapi_extra` of a route that requires this scope."""
    return {SCOPES: [scope.value]}


def _operation_id(route: APIRoute) -> str:
    return route.name


def _complete(parameter: dict[str, Any]) -> None:
    """Make a parameter's schema exact: required or not, its own pattern, and no control characters in texts."""
    schema = parameter["schema"]
    if schema.pop(REQUIRED, False):
        parameter["required"] = True
    if own := schema.pop(SCHEMA, None):
        parameter["schema"] = own
        return
    if parameter["in"] == "header":
        return
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "string" and not {"enum", "const", "format", "pattern"} & set(part):
            part["pattern"] = ONE_LINE


class Api(FastAPI):
    """The application. Its document marks the routes that need a key: those that may answer 401."""

    def __init__(self, version: str) -> None:
        super().__init__(
            title="telecine",
            version=version,
            description=_DESCRIPTION,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            generate_unique_id_function=_operation_id,
            telemetry=NO_TELEMETRY,
        )

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, built once."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    if path.startswith("/api/"):
                        operation["responses"].setdefault("429", RATE_LIMITED)
                    if "401" in operation["responses"]:
                        scopes = operation.pop(SCOPES, [])
                        operation["security"] = [{name: scopes} for name in SECURITY_SCHEMES]
                    # This API answers 400, never the framework's 422.
                    operation["responses"].pop("422", None)
                    for parameter in operation.get("parameters", ()):
                        _complete(parameter)
        assert self.openapi_schema is not None
        return self.openapi_schema
