"""What people see of the auditor: tables, a progress bar where there is somebody to see it, one JSON document."""

import io
import json

import pytest

from telecine_auditor.terminal.tables import Progress, number, print_json, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Hurried(Progress):
    """A bar that is due at once."""

    def __init__(self, label: str, total: int, enabled: bool = True, *, on: io.StringIO) -> None:
        super().__init__(label, total, enabled, on=on)
        self._due = 0.0


def test_a_table_has_columns_as_wide_as_needed_and_numbers_to_the_right() -> None:
    rows = [("ann", 1234567, None), ("b", 5, "x")]
    assert table(("who", "credits", ""), rows) == [
        "who    credits",
        "---  ---------  -",
        "ann  1,234,567",
        "b            5  x",
    ]


def test_an_empty_table_has_its_head() -> None:
    assert table(("who", "credits"), []) == ["who  credits", "---  -------"]


def test_thousands_are_grouped() -> None:
    assert (number(0), number(-1234567)) == ("0", "-1,234,567")


def test_a_bar_shows_progress_and_is_erased() -> None:
    terminal = Terminal()
    with Hurried("verify", 200, on=terminal) as progress:
        progress.advance(50)
    shown, gone = terminal.getvalue().split("\x1b[K")[:2]
    assert shown.startswith("\rverify ████████░░░░")
    assert " 25%  50 at " in shown
    assert gone == "\r"


def test_progress_beyond_the_total_shows_100_percent() -> None:
    terminal = Terminal()
    with Hurried("verify", 10, on=terminal) as progress:
        progress.advance(20)
    assert "100%  20 at" in terminal.getvalue()


def test_without_a_total_there_is_no_bar() -> None:
    terminal = Terminal()
    with Hurried("read", 0, on=terminal) as progress:
        progress.advance(50)
    assert terminal.getvalue().startswith("\rread 50 at ")


def test_short_work_shows_no_bar() -> None:
    terminal = Terminal()
    with Progress("verify", 2, on=terminal) as progress:
        progress.advance()
    assert terminal.getvalue() == ""


def test_no_bar_without_a_terminal_or_when_disabled() -> None:
    file, terminal = io.StringIO(), Terminal()
    with Hurried("verify", 2, on=file) as progress, Hurried("verify", 2, False, on=terminal) as unwanted:
        progress.advance()
        unwanted.advance()
    assert (file.getvalue(), terminal.getvalue()) == ("", "")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("show", {"a": "é"})
    assert json.loads(capsys.readouterr().out) == {"document": "telecine-audit show 1", "a": "é"}
