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
_LONGEST_WORD = 40
"""Words up to this length are not broken, e.g. ids: then a line that the terminal wraps is easier to copy from."""


def print_table(
    rows: Iterable[Sequence[str]],
    *,
    head: Sequence[str] = (),
    right: Collection[int] = (),
    console: Console | None = None,
    indent: int = 0,
) -> None:
    """Print rows with aligned columns; the columns numbered in `right` are aligned to the right.

    On a terminal the last column is folded where the table is too wide. Where that is not enough, and where the output
    is no terminal, every row is one line.
    """
    console = console or Console(highlight=False)
    cells = [*rows]
    table = _table(cells, head, right)
    everything = [head, *cells] if head else cells
    if console.is_terminal and _can_be_fitted(everything, console.width - indent):
        console.print(Padding(table, (0, 0, 0, indent)), soft_wrap=False)
        return
    for line in _lines(table):
        console.print(Text(f"{' ' * indent}{line}"), soft_wrap=True)


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
        table.add_row(*map(Text, row))
    return table


def _can_be_fitted(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether all columns but the last have room, and the last one is wide enough to be folded."""
    if not rows:
        return True
    *widths, _ = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    longest_word = max(cell_len(word) for row in rows for word in row[-1].split(" "))
    return sum(widths) + _GAP * len(widths) + min(longest_word, _LONGEST_WORD) <= width


def _lines(table: Table) -> list[str]:
    console = Console(file=io.StringIO(), width=_UNLIMITED, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]
