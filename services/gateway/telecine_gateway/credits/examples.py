"""Examples of answers about credits, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from .schemas import Credits, StatementPage

__all__ = ["CREDITS_EXAMPLES", "STATEMENT"]

_ID = "8f4f2a52-9d0c-5b1e-8a38-2f1c55ad1f0e"
_GRANTED: dict[str, Any] = {
    "entry": 1,
    "type": "granted",
    "amount": 300,
    "heldAmount": 0,
    "generation": None,
    "balances": {"available": 300, "held": 0},
    "reason": "Starter pack",
    "reference": "pay_1042",
    "time": "2026-11-23T04:00:00.000Z",
    "kind": "paid",
    "expiresAt": "2027-11-23T00:00:00Z",
}
_DEBITED: dict[str, Any] = {
    "entry": 2,
    "type": "debited",
    "amount": -50,
    "heldAmount": 50,
    "generation": _ID,
    "balances": {"available": 250, "held": 50},
    "reason": None,
    "reference": None,
    "time": "2026-11-23T04:05:06.792Z",
    "apiKey": "key_5f1c9e7a02bd",
}
_START, _END = {"entry": 0, "available": 0, "held": 0}, {"entry": 2, "available": 250, "held": 50}
_CSV = """\
entry,time,change,concerns,available_change,held_change,available,held,kind,generation,reference,reason\r
,2026-11-01T00:00:00.000Z,opening,,,,0,0,,,,\r
1,2026-11-23T04:00:00.000Z,granted,,300,0,300,0,paid,,pay_1042,Starter pack\r
2,2026-11-23T04:05:06.792Z,debited,,-50,50,250,50,,8f4f2a52-9d0c-5b1e-8a38-2f1c55ad1f0e,,\r
,2026-12-01T00:00:00.000Z,closing,,,,250,50,,,,\r
"""

CREDITS_EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Credits: {
        "available": 250,
        "held": 50,
        "isClosed": False,
        "limits": {"account": {"perDay": 1000, "perGeneration": None}, "apiKey": None},
        "nextExpiry": {"at": "2027-11-23T00:00:00.000Z", "amount": 250},
        "statement": {"items": [_DEBITED, _GRANTED], "nextCursor": None},
    },
    StatementPage: {
        "account": "acme",
        "period": {"from": "2026-11-01T00:00:00.000Z", "to": "2026-12-01T00:00:00.000Z"},
        "opening": _START,
        "closing": _END,
        "page": {"opening": _START, "closing": _END},
        "items": [_GRANTED, _DEBITED],
        "nextCursor": None,
    },
}

STATEMENT: dict[str, Any] = {
    "model": StatementPage,
    "description": "A page of it as JSON, or all of it as CSV or as a page to print",
    "content": {
        "application/json": {"example": CREDITS_EXAMPLES[StatementPage]},
        "text/csv": {"schema": {"type": "string"}, "example": _CSV},
        "text/html": {"schema": {"type": "string"}},
    },
}
