"""Tables whose whole numbers stand as they are, to be copied and compared."""

from collections.abc import Sequence

from .sanitizer import one_line
from .tables import table

__all__ = ["plain_table"]


def plain_table(head: Sequence[str], rows: Sequence[Sequence[int | str | None]]) -> list[str]:
    """Lines of a table: columns of whole numbers to the right, without marks between thousands."""
    columns = [_column(name, [row[at] for row in rows]) for at, name in enumerate(head)]
    cells = list(zip(*columns, strict=True))
    return table(cells[0], cells[1:])


def _column(name: str, values: Sequence[int | str | None]) -> list[str]:
    texts = [one_line(str(value)) if value is not None else "" for value in values]
    if not any(isinstance(value, int) for value in values):
        return [name, *texts]
    width = max(map(len, [name, *texts]))
    return [text.rjust(width) for text in (name, *texts)]
