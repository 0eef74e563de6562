"""Loaded by schemathesis (SCHEMATHESIS_HOOKS): what the API's document can't say, and validation may refuse for."""

import re
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

__all__ = ["valid_data_is_accepted"]

_RULES_NOT_IN_SCHEMA = {
    "/api/video/generate": r"imageUrl|lastFrameUrl|references|quote",  # public hosts; a quote that was given out
    "/api/quotes": r"imageUrl|lastFrameUrl|references",
    "/api/pricing": r"resolution|duration",  # the model decides
    "/api/credits/statement": r"from|to|cursor|limit",  # an order of times; pages are for JSON
    "/api/video/history": r"from|to|cursor",
    "/api/admin/grants": r"expiresAt",  # in the future
    "/api/admin/accounts/{account}/limits": r"apiKey",  # a key of the account
}
"""By path: the parameters and members whose values depend on more than their form."""
_ANYWHERE = r"cursor"


@schemathesis.check
def valid_data_is_accepted(context: Any, response: Any, case: Any) -> bool | None:
    """As `positive_data_acceptance`, except for what a schema can't say."""
    if response.status_code == 400:
        named = {bad["field"] for bad in response.json().get("fields", [])}
        beyond = _RULES_NOT_IN_SCHEMA.get(case.operation.path, _ANYWHERE)
        if named and all(re.fullmatch(beyond, name) for name in named):
            return None
    return positive_data_acceptance(context, response, case)
