"""Shapes of the `--json` output: one for each command, with a version.

`python -m telecine_auditor.json_documents DIR` writes them as JSON Schema. An added field keeps the version; one that
is renamed, removed or changes its meaning raises it.
"""

import json
import sys
from pathlib import Path
from typing import Any, NotRequired

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from telecine_auditor.reports.usage_documents import Money, PossibleTask, UsageFinding, UsageGroup, UsageSums

__all__ = ["DOCUMENTS", "ERROR", "name_of", "schema_of"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Closed(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]


class BreachFields(_Closed):
    """One breach; unknown fields are left out."""

    kind: str
    stream: str
    sequence: NotRequired[int]
    account: NotRequired[str]
    generation: NotRequired[str]
    says: str


class Place(_Closed):
    """How far LEDGER was read: the last entry, when it was booked, and the number of breaches."""

    stream: str
    sequence: int
    booked: str | None
    breaches: int
    not_checked: list[str]


class Balance(_Closed):
    available: int
    held: int


class Amounts(Balance):
    unspent: int


class AccountBalance(Balance):
    account: str


class Balances(Place):
    accounts: list[AccountBalance]
    total: Balance


class StatementEntry(Balance):
    sequence: int
    entry: int
    time: str
    action: str
    about: str | None
    available_change: int
    held_change: int
    what: str


class Statement(Place):
    account: str
    opening: Balance
    entries: list[StatementEntry]
    closing: Balance


class Sums(Balance):
    issued: int
    spent: int
    expired: int


class TrialBalance(Place):
    accounts: int
    sums: Sums
    total: int


class LiabilityGroup(Amounts):
    account: NotRequired[str]
    kind: str
    expires: str


class Liability(Place):
    groups: list[LiabilityGroup]
    kinds: dict[str, Amounts]
    total: Amounts
    past_their_time: Amounts


class Show(_Closed):
    """`body` is the JSON object, the text, or null if it is neither; `bytes` is the same in base64."""

    stream: str
    sequence: int
    did: str
    subject: str
    stored: str
    headers: list[list[str]]
    body: dict[str, Any] | str | None
    bytes: str
    leaf_hash: str


class Reconciliation(Place):
    groups: list[UsageGroup]
    total: UsageSums
    lists: dict[str, list[UsageFinding]]
    possible_tasks: list[PossibleTask]
    unreadable: int
    money: Money


class Export(Place):
    file: str
    format: str
    transactions: int
    accounts: int
    left_out: int


class ComparedDatabase(Place):
    database: str
    rows: dict[str, int]


class Difference(_Closed):
    kind: str
    database: str
    table: str
    key: list[Any]
    column: str | None
    found: Any
    expected: Any


class Compare(_Closed):
    databases: list[ComparedDatabase]
    count: int
    differences: list[Difference]


class Objects(_Closed):
    sequence: int
    videos: int
    bytes: int
    deep: bool
    unknown_objects: int
    unknown_keys: list[str]
    erased: int
    newer_events: int
    count: int
    breaches: list[BreachFields]


class MirroredStream(_Closed):
    stream: str
    new: int
    last: int
    sealed: int
    cut: int


class Mirror(_Closed):
    holds: bool
    streams: list[MirroredStream]
    breaches: list[BreachFields]


class RestoredStream(_Closed):
    stream: str
    found: int
    written: int
    left_empty: int
    last: int
    root: str


class Restore(_Closed):
    holds: bool
    streams: list[RestoredStream]
    breaches: list[BreachFields]


class CheckpointFields(_Closed):
    origin: str
    size: int
    root: str
    signed_by: str | None
    place: str
    confirmed: bool
    note: str


class Checkpoint(_Closed):
    holds: bool
    checkpoints: list[CheckpointFields]
    breaches: list[BreachFields]


class CheckpointPlace(_Closed):
    size: int
    place: str


class Prove(_Closed):
    holds: bool
    sequence: int
    checkpoint: CheckpointPlace
    proof: str | None
    breaches: list[BreachFields]


class CheckProof(_Closed):
    """`says`: why the proof fails; what it would prove is null then. `body` is in base64."""

    holds: bool
    says: str | None
    sequence: int | None
    signed_by: str | None
    size: int | None
    subject: str | None
    headers: list[str] | None
    body: str | None


class VerifiedLedger(_Closed):
    entries: int
    replayed_from: int
    last_sequence: int
    first_decided_at: str | None
    last_decided_at: str | None
    accounts: int
    unattributed: int
    debits_by_unknown_price_tables: int
    unknown_price_tables: list[str]
    restored: int
    size: int
    root: str


class Generations(_Closed):
    charged: int
    settled: int
    refunded: int
    held: int
    denied: int


class VerifiedVideo(_Closed):
    entries: int
    completed: int
    failed: int
    in_flight: int
    undecided: int
    erased: int


class VerifiedCheckpoints(_Closed):
    found: int
    verified: int
    unsigned: int
    largest: CheckpointPlace | None
    entries_since: int
    saved_at: int | None


class Verify(_Closed):
    holds: bool
    verdict: str
    judged_as_of: str
    ledger: VerifiedLedger
    generations: Generations
    credits: Sums
    video: VerifiedVideo | None
    checkpoints: VerifiedCheckpoints
    not_checked: list[str]
    notices: list[str]
    breach_count: int
    breach_kinds: dict[str, int]
    meanings: dict[str, str]
    breaches: list[BreachFields]


class Error(_Closed):
    """Replaces the document of a command that ends with 2; stderr has the same sentence."""

    command: str
    error: str


class Fairness(_Closed):
    """Waits are in seconds; `partial`: the stream no longer has its first entries."""

    entries: int
    partial: bool
    accounts: list[dict[str, str | int | float]]
    waiting: list[dict[str, str]]
    capacity_lowered: int
    unreadable: int
    violations: list[dict[str, str | int]]


DOCUMENTS: dict[str, tuple[int, Any]] = {
    "verify": (1, Verify),
    "balances": (1, Balances),
    "statement": (1, Statement),
    "trial-balance": (1, TrialBalance),
    "liability": (1, Liability),
    "show": (1, Show),
    "reconcile": (1, Reconciliation),
    "fairness": (1, Fairness),
    "export": (1, Export),
    "compare": (1, Compare),
    "objects": (1, Objects),
    "mirror": (1, Mirror),
    "restore": (1, Restore),
    "checkpoint": (1, Checkpoint),
    "prove": (1, Prove),
    "check-proof": (1, CheckProof),
    "error": (1, Error),
}
"""By command: the version, and the fields in addition to `document`."""
ERROR = "error"


def name_of(command: str) -> str:
    """The value of the field `document`, which every document has first."""
    return f"telecine-audit {command} {DOCUMENTS[command][0]}"


def schema_of(command: str, *, closed: bool = False) -> dict[str, Any]:
    """The JSON Schema of a command's document; `closed`: without additional properties."""
    schema: dict[str, Any] = TypeAdapter(DOCUMENTS[command][1]).json_schema()
    schema["properties"] = {"document": {"const": name_of(command)}, **schema["properties"]}
    schema["required"] = ["document", *schema["required"]]
    if not closed:
        for part in (schema, *schema.get("$defs", {}).values()):
            part.pop("additionalProperties", None)
    return {"$schema": _DIALECT, **schema, "title": f"telecine-audit {command} --json"}


def _write(folder: Path) -> None:
    for command in DOCUMENTS:
        text = json.dumps(schema_of(command), indent=2, ensure_ascii=False)
        (folder / f"{command}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
