"""Examples of what administrators send and get, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from .schemas import AccountBody, Adjusted, Changed, Granted

__all__ = ["ADJUST", "ADMIN_EXAMPLES", "GRANT", "LIMITS", "REASON", "REFUSALS"]

_BALANCES = {"available": 500, "held": 0}

GRANT: dict[str, dict[str, Any]] = {
    "a payment": {"account": "acme", "amount": 500, "reference": "pay_1042", "reason": "Starter pack"},
    "a month of a plan": {
        "account": "acme",
        "amount": 1000,
        "reference": "plan-pro-2026-11",
        "kind": "plan",
        "reason": "Pro plan, November 2026",
        "expiresAt": "2026-12-01T00:00:00Z",
    },
}
ADJUST: dict[str, dict[str, Any]] = {
    "a payment was returned": {
        "account": "acme",
        "corrects": 1,
        "amount": 500,
        "reference": "refund-pay_1042",
        "reason": "Payment returned",
    },
    "a video was no good": {
        "account": "acme",
        "corrects": 3,
        "amount": 50,
        "reference": "ticket-4711",
        "reason": "The video was black",
    },
}
REASON: dict[str, dict[str, Any]] = {"with a note": {"reason": "Contract ended"}}
LIMITS: dict[str, dict[str, Any]] = {
    "the account": {"perDay": 2000, "perGeneration": 100},
    "one key": {"apiKey": "key_5f1c9e7a02bd", "perDay": 200},
    "no limit any more": {},
}

REFUSALS: dict[int, tuple[str, dict[str, Any]]] = {
    403: (
        "The key does not have the scope admin",
        {
            "error": "This key does not have the scope admin, which this needs",
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
"""How these routes may fail in ways of their own."""

ADMIN_EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Granted: {
        "account": "acme",
        "entry": 1,
        "amount": 500,
        "reference": "pay_1042",
        "kind": "paid",
        "expiresAt": None,
        "balances": _BALANCES,
    },
    Adjusted: {
        "account": "acme",
        "entry": 4,
        "corrects": 1,
        "amount": 500,
        "reference": "refund-pay_1042",
        "balances": {"available": 0, "held": 0},
    },
    Changed: {"account": "acme", "changed": True, "entry": 5, "balances": _BALANCES},
    AccountBody: {
        "available": 450,
        "held": 50,
        "account": "acme",
        "entry": 2,
        "isClosed": False,
        "limits": {
            "account": {"perDay": 2000, "perGeneration": 100},
            "apiKeys": [{"apiKey": "key_5f1c9e7a02bd", "perDay": 200, "perGeneration": None}],
        },
        "grants": {
            "items": [
                {
                    "entry": 1,
                    "amount": 500,
                    "kind": "paid",
                    "reference": "pay_1042",
                    "reason": "Starter pack",
                    "grantedAt": "2026-11-23T04:00:00.000Z",
                    "expiresAt": None,
                    "usableUntil": None,
                    "available": 450,
                    "held": 50,
                    "spent": 0,
                    "expired": 0,
                    "takenBack": 0,
                }
            ],
            "nextCursor": None,
        },
    },
}
