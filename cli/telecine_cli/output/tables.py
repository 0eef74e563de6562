"""Tables: fitted to the width of a terminal; anywhere else one line a row, with nothing wrapped or cut off."""

import io
from collections.abc import Collection, Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["print_table", "table_lines"]

_UNLIMITED = 1_000_000
"""Columns of a console that never has to fit anything."""
_GAP = 2
"""Spaces between two columns."""
_MIN_LAST_COLUMN = 20
"""A last column that would have to be narrower than this is not folded."""


def print_table(
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str] = (),
    right: Collection[int] = (),
    console: Console | None = None,
    indent: int = 0,
) -> None:
    """Print rows with aligned columns; the columns numbered in `right` are aligned to the right.

    On a terminal that is too narrow the last column is folded; where that is not enough, each row is printed as a
    record, one line a column. Where the output is no terminal, each row is one line.
    """
    console = console or Console(highlight=False)
    cells = [*rows]
    table = _table(cells, head, right)
    if not console.is_terminal:
        _print_lines(_lines(table), console, indent)
    elif _can_be_fitted([head, *cells] if head else cells, console.width - indent):
        console.print(Padding(table, (0, 0, 0, indent)), soft_wrap=False)
    elif head:
        _print_lines(_records(cells, head), console, indent)
    else:
        _print_lines(_lines(table), console, indent)


def table_lines(
    rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), right: Collection[int] = ()
) -> list[str]:
    """The rows as lines of text without trailing spaces, as wide as they have to be."""
    return _lines(_table([*rows], head, right))


def _table(rows: Sequence[Sequence[str]], head: Sequence[str], right: Collection[int]) -> Table:
    count = len(head or next(iter(rows), ()))
    table = Table(
        box=None, pad_edge=False, padding=(0, _GAP // 2), show_header=bool(head), header_style="bold"
    )
    for number in range(count):
        table.add_column(
            Text(head[number]) if head else "",
            justify="right" if number in right else "left",
            no_wrap=number < count - 1,
            overflow="fold",
        )
    for row in rows:
        # Text, because rich would read square brackets and colons in a string as markup.
        table.add_row(*map(Text, row))
    return table


def _can_be_fitted(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether all columns but the last have room, and the last one is wide enough to be folded."""
    if not rows:
        return True
    *widths, last = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + _GAP * len(widths) + min(last, _MIN_LAST_COLUMN) <= width


def _records(rows: Iterable[Sequence[str]], head: Sequence[str]) -> list[str]:
    width = max(map(cell_len, head))
    lines: list[str] = []
    for row in rows:
        lines += ["", *(f"{name:<{width}}  {cell}" for name, cell in zip(head, row, strict=True) if cell)]
    return lines[1:]


def _lines(table: Table) -> list[str]:
    console = Console(file=io.StringIO(), width=_UNLIMITED, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _print_lines(lines: Iterable[str], console: Console, indent: int) -> None:
    for line in lines:
        console.print(Text(f"{' ' * indent}{line}" if line else ""), soft_wrap=True)
