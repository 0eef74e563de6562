"""How the routes for administrators fail: descriptions and examples for the OpenAPI document."""

from typing import Any

__all__ = ["REFUSALS"]

REFUSALS: dict[int, tuple[str, dict[str, Any]]] = {
    403: (
        "The key does not have the scope admin",
        {
            "error": "This key or token does not have the scope admin, which this needs",
            "code": "missing_scope",
            "scope": "admin",
        },
    ),
    404: (
        "No entry names the account",
        {"error": "Account acme has no entry in the ledger yet", "code": "not_found"},
    ),
    409: (
        "The ledger refuses, and says in `code` why: `reference_conflict`, `account_closed`, `balance_too_large` or "
        "`not_correctable`",
        {
            "error": "reference 'pay_1042' was used before, for entry 1: a grant of 500 paid credits",
            "code": "reference_conflict",
            "fields": [
                {"field": "reference", "message": "reference 'pay_1042' was used before, for entry 1 …"}
            ],
        },
    ),
    503: (
        "No answer from the credits service: send the same again, see Retry-After",
        {
            "error": "The credits service did not answer, so it is not known whether this was carried out …",
            "code": "unavailable",
        },
    ),
}
"""Failures of these routes: description and example, by status."""
