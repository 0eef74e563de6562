"""The auditor installs from three wheels and their dependencies: contracts, jetstream and auditor."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.support.audit.nats_ledger import LOG, signed_checkpoint, small_ledger, stored_checkpoint

from telecine_auditor.mirror.writer import open_mirror
from telecine_credits.checkpoints.key import Signer

ROOT = Path(__file__).parents[3]
PROJECTS = ("contracts", "jetstream", "auditor")
PYDANTIC = ("pydantic", "pydantic_core", "annotated_types", "typing_extensions.py", "typing_inspection")
TYPER = (
    "typer",
    "rich",
    "pygments",
    "markdown_it",
    "mdurl",
    "shellingham",
    "annotated_doc",
)
NATS = ("nats", "nkeys", "nacl", "cffi", "pycparser")
DEPENDENCIES = (*PYDANTIC, *TYPER, *NATS, "msgspec")
COMPILED = ("_cffi_backend", "_sodium")
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
before = set(sys.modules)
import json, pkgutil, importlib
import telecine_auditor
for module in pkgutil.walk_packages(telecine_auditor.__path__, "telecine_auditor."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from telecine_auditor.cli import run
code = run(sys.argv[3:])
own = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
own = {name for name in own if not name.startswith("_sysconfigdata")}
print(json.dumps({"code": code, "modules": sorted(own), "from": telecine_auditor.__file__}))
"""


def run(*arguments: object, cwd: Path = ROOT) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the projects, built and unpacked into a folder of their own."""
    folder = tmp_path_factory.mktemp("auditor")
    for project in PROJECTS:
        run("-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT / project)
    for wheel in folder.glob("*.whl"):
        ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


@pytest.fixture
def dependencies_only(tmp_path: Path) -> Path:
    """A folder that has nats-py with nkeys, pydantic, msgspec, typer, rich, and what they need themselves."""
    packages = Path(sysconfig.get_path("purelib"))
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in DEPENDENCIES:
        (folder / name).symlink_to(packages / name)
    for binary in packages.glob("_cffi_backend*"):
        (folder / binary.name).symlink_to(binary)
    return folder


def test_a_ledger_is_verified_with_the_wheels_and_their_dependencies_alone(
    installed: Path, dependencies_only: Path, tmp_path: Path
) -> None:
    signer, streams = Signer.new(LOG), small_ledger(3)
    with open_mirror(tmp_path / "mirror") as mirror:
        mirror.stream("LEDGER").append(streams.ledger)
        mirror.stream("CHECKPOINTS").append([stored_checkpoint(signed_checkpoint(signer, streams.ledger))])
    command = ("verify", "--from", tmp_path / "mirror", "--key", signer.verifier)
    *_, last = run("-I", "-S", "-c", PROGRAM, installed, dependencies_only, *command).splitlines()
    answer = json.loads(last)
    assert answer["code"] == 0
    assert Path(answer["from"]).is_relative_to(installed)
    family = {name.removesuffix(".py") for name in DEPENDENCIES}
    assert set(answer["modules"]) <= {
        "telecine_auditor",
        "telecine_contracts",
        "telecine_jetstream",
        *COMPILED,
        *family,
    }


def test_wheel_metadata_names_its_dependencies(installed: Path) -> None:
    (metadata,) = installed.glob("telecine_auditor-*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert needed == [
        "Requires-Dist: msgspec>=0.19",
        "Requires-Dist: nats-py[nkeys]>=2.16",
        "Requires-Dist: rich>=13",
        "Requires-Dist: telecine-contracts",
        "Requires-Dist: telecine-jetstream",
        "Requires-Dist: typer>=0.29",
    ]
    assert (installed / "telecine_auditor" / "py.typed").exists()
    (entry_points,) = installed.glob("telecine_auditor-*.dist-info/entry_points.txt")
    assert "telecine-audit = telecine_auditor.__main__:main" in entry_points.read_text(encoding="utf-8")
