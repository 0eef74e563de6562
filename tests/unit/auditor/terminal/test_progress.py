"""The progress bar: on a terminal only, and only for work that takes longer than a second."""

import io
from types import SimpleNamespace

import pytest

from telecine_auditor.terminal import progress
from telecine_auditor.terminal.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error on a terminal; a bar is shown at once."""
    terminal = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return terminal


def test_a_bar_shows_progress_and_is_erased_at_the_end(terminal: Terminal) -> None:
    with Progress("verify [red]", 200) as bar:
        bar.advance(50)
    assert "verify [red]" in terminal.getvalue()
    assert " 25%" in terminal.getvalue()
    assert "50 at " in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # erases the line


def test_more_entries_than_expected_are_100_percent(terminal: Terminal) -> None:
    with Progress("verify", 10) as bar:
        bar.advance(20)
    assert "100%" in terminal.getvalue()
    assert "20 at " in terminal.getvalue()


def test_the_speed_is_shown_without_a_total(terminal: Terminal) -> None:
    with Progress("read", 0) as bar:
        bar.advance(50)
    assert "50 at " in terminal.getvalue()
    assert "%" not in terminal.getvalue()


def test_output_of_the_command_passes_through_unchanged(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("read", 2) as bar:
        bar.advance()
        print("[bold]" + "x" * 300)
    assert capsys.readouterr().out == "[bold]" + "x" * 300 + "\n"


def test_short_work_shows_no_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 60.0)
    with Progress("verify", 2) as bar:
        bar.advance()
    assert terminal.getvalue() == ""


def test_progress_is_hidden_when_disabled_or_not_on_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress("verify", 2, enabled=False) as bar:
        bar.advance()
    file = io.StringIO()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=file))
    with Progress("verify", 2) as bar:
        bar.advance()
    assert (terminal.getvalue(), file.getvalue()) == ("", "")
