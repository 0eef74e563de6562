"""Files that `--out` and `--save` name: regular files are replaced, pipes and devices are written to."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from telecine_auditor.errors import CommandError
from telecine_auditor.terminal.output_files import new_file, text_file


def write(path: Path, text: str) -> None:
    with text_file(path) as file:
        file.write(text)


def test_a_file_is_replaced_atomically_and_keeps_its_mode(tmp_path: Path) -> None:
    replay = tmp_path / "books"
    replay.write_text("longer than what comes")
    replay.chmod(0o640)
    write(replay, "new\n")
    assert replay.read_text() == "new\n"
    assert stat.S_IMODE(replay.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to("elsewhere/books")
    write(link, "first")
    write(link, "second")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "books").read_text() == "second"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "books\n")
    reader.join()
    assert read == ["books\n"]
    assert pipe.is_fifo()


def test_a_redirected_standard_output_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    program = "from telecine_auditor.terminal.output_files import *\nfrom pathlib import Path\n"
    program += "with text_file(Path('/dev/stdout')) as file: file.write('books\\n')"
    with log.open("a") as output:
        subprocess.run([sys.executable, "-c", program], stdout=output, check=True)
    assert log.read_text() == "before\nbooks\n"


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    replay = tmp_path / "books"
    replay.write_text("old")
    with pytest.raises(ZeroDivisionError), text_file(replay) as file:
        file.write(str(1 / 0))
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("books", "old")]
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        write(tmp_path / "nowhere" / "books", "x")


def test_a_saved_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with new_file(tmp_path / "state", mode=0o600) as file:
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600
