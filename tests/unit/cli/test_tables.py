"""Tables: fitted to a terminal, one line a row everywhere else."""

import io

import pytest
from rich.console import Console

from telecine_cli.output.tables import print_table, table_lines

ID = "be969001-1c03-45b2-a127-37a6a0110a06"
HEAD = ("entry", "for")


def printed(rows: list[tuple[str, ...]], width: int, *, terminal: bool) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    print_table(rows, head=HEAD, right={0}, console=console, indent=2)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table_lines([("a", "1"), ("long", "22")], right={1}) == ["a      1", "long  22"]
    assert table_lines([("测试", "1"), ("long", "22")]) == ["测试  1", "long  22"]


def test_markup_and_emoji_codes_are_printed_as_they_are() -> None:
    assert table_lines([("[red]x[/red]", ":smile:")]) == ["[red]x[/red]  :smile:"]


@pytest.mark.parametrize("width", [20, 80])
def test_nothing_is_wrapped_or_cut_off_outside_a_terminal(width: int) -> None:
    long = " ".join(["word"] * 50)
    assert printed([("1", long)], width, terminal=False) == ["  entry  for", f"      1  {long}"]


def test_the_last_column_is_folded_on_a_terminal() -> None:
    assert printed([("1", "some words to fold in two")], 30, terminal=True) == [
        "  entry  for",
        "      1  some words to fold in",
        "         two",
    ]


def test_rows_are_records_on_a_terminal_that_is_too_narrow() -> None:
    assert printed([("1", ID), ("2", ID), ("3", "")], 28, terminal=True) == [
        "  entry  1",
        f"  for    {ID}",
        "",
        "  entry  2",
        f"  for    {ID}",
        "",
        "  entry  3",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert printed([], 40, terminal=True) == ["  entry  for"]
