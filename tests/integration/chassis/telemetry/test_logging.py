"""Logs are JSON where a program reads them and text where a person does, and never show local variables."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, structlog, sys
from telecine_chassis.telemetry.logging import configure
configure("tests", form=sys.argv[1])
structlog.contextvars.bind_contextvars(generation="g1", trace_id="4bf9")
def fail(secret):
    raise ValueError("no reason")
try:
    fail("canary")
except ValueError:
    structlog.get_logger().exception("it.failed", tried=2)
logging.getLogger("a.library").warning("it %s", "warns")
"""


def piped(form: str) -> list[str]:
    """What a process says into a pipe."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, form]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def on_a_terminal(form: str) -> str:
    """What a process says on a terminal."""
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, form]
        subprocess.run(command, stderr=theirs, check=True)
    finally:
        os.close(theirs)
    with open(ours, "rb", closefd=True) as terminal:  # noqa: PTH123 - a descriptor
        return terminal.read1(100_000).decode()


@pytest.mark.parametrize("form", ["auto", "json"])
def test_one_json_object_a_line_for_programs(form: str) -> None:
    own, library = map(json.loads, piped(form))
    assert {name: own[name] for name in ("event", "level", "service", "generation", "trace_id", "tried")} == {
        "event": "it.failed",
        "level": "error",
        "service": "tests",
        "generation": "g1",
        "trace_id": "4bf9",
        "tried": 2,
    }
    assert "ValueError: no reason" in own["exception"]
    assert (library["event"], library["level"], library["service"]) == ("it warns", "warning", "tests")


def test_text_on_a_terminal() -> None:
    shown = on_a_terminal("auto")
    assert "it.failed" in shown
    assert "\x1b[" in shown, "in colours"
    assert '{"' not in shown


def test_json_on_a_terminal_if_that_is_wanted() -> None:
    assert '"event": "it.failed"' in on_a_terminal("json")


def test_text_into_a_file_has_no_colours() -> None:
    shown = "\n".join(piped("text"))
    assert "it.failed" in shown
    assert "\x1b[" not in shown


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_values(form: str) -> None:
    assert "canary" not in "\n".join(line for line in piped(form) if 'fail("canary")' not in line)


FULL_DISK = """
import logging, os, structlog, sys, warnings
from telecine_chassis.telemetry.logging import configure
lost = []
configure("tests", form="json", lost=lambda: lost.append(1))
log = structlog.get_logger()
def say(number):
    try:
        raise OSError(28, "No space left on device")
    except OSError as error:
        log.error("own", number=number, exc_info=error)
    logging.getLogger("a.library").warning("library %s", number)
    warnings.warn(f"warning {number}", stacklevel=1)
say(1)
os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
say(2)
os.close(2)
say(3)
print(len(lost))
"""


@pytest.mark.parametrize("broken", ["full", "pipe", "closed"])
def test_logging_never_raises_counts_what_is_lost_and_goes_on(tmp_path: Path, broken: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    before = {
        "full": lambda: os.dup2(full, 2),
        "pipe": lambda: os.dup2(writer, 2),
        "closed": lambda: os.close(2),
    }
    log = tmp_path / "log"
    command = [sys.executable, "-c", FULL_DISK, str(log)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=before[broken], check=True)
    os.close(writer)
    os.close(full)
    written = [json.loads(line) for line in log.read_text().splitlines()] if broken != "closed" else []
    assert len(written) == (3 if broken != "closed" else 0)
    assert all("2" in str(line) for line in written)
    assert ended.stdout == ("9\n" if broken == "closed" else "6\n")
