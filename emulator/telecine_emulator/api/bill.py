"""What the emulated provider bills: an export of succeeded tasks as CSV, at the vendor's published prices.

Source of the prices: the vendor's price page of November 2026, yuan for a million tokens, without discounts.
"""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from telecine_emulator.tasks.task import Task

__all__ = ["HEAD", "bill_as_csv"]

HEAD = ("task_id", "model", "service_tier", "total_tokens", "unit_price", "amount", "safety_identifier")
_PRICES = (
    ("1-0-pro-fast", "4.2"),
    ("1-0-pro", "15"),
    ("1-5-pro", "16"),
    ("2-0-fast", "37"),
    ("2-0-mini", "23"),
    ("2-0", "46"),
    ("2-5", "70"),
)
"""By a part of the model's id; the first that matches."""
_SILENT = {"1-5-pro": "8"}
_LARGE = {"2-0": "51", "2-5": "77"}
"""For 1080p and 4k."""


def bill_as_csv(tasks: Iterable[Task]) -> str:
    """A row for each succeeded task: only these are billed. Flex costs half. The amount has six decimal places."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for task in tasks:
        if task.status == "succeeded":
            spec, price = task.spec, _price(task)
            amount = (price * spec.tokens / 1_000_000).quantize(Decimal("0.000001"))
            row = (task.id, spec.model, spec.service_tier, spec.tokens, price, amount, spec.safety_identifier)
            writer.writerow(row)
    return text.getvalue()


def _price(task: Task) -> Decimal:
    spec = task.spec
    part, price = next((part, price) for part, price in _PRICES if part in spec.model)
    if spec.resolution in ("1080p", "4k"):
        price = _LARGE.get(part, price)
    if not spec.generate_audio:
        price = _SILENT.get(part, price)
    return Decimal(price) / (2 if spec.service_tier == "flex" else 1)
