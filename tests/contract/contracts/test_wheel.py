"""Another team installs the contracts alone: the wheel and pydantic are enough to read and write every event."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).parents[3] / "contracts"
PYDANTIC_FAMILY = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions.py",
    "typing_inspection",
)
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:]
before = set(sys.modules)
import json
from telecine_contracts import EVENTS, encode, registry
from telecine_contracts.asyncapi import document
from telecine_contracts.event_page import page
from telecine_contracts.examples import EXAMPLES
from telecine_contracts.schemas import schema
from telecine_contracts import access, commands, credits, gateway, generation, pricing, storage, streams, video_models
assert all(registry().decode(event.type, encode(event)) == event for event in EXAMPLES)
assert document() and page() and [schema(event) for event in EVENTS]
own = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
own = {name for name in own if not name.startswith("_sysconfigdata")}  # the standard library's, named by platform
print(json.dumps({"modules": sorted(own), "from": sys.modules["telecine_contracts"].__file__}))
"""


def run(*arguments: str | Path) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the contracts, built and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("contracts")
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-cache-dir")
    run(*pip, "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, CONTRACTS)
    (wheel,) = folder.glob("*.whl")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--target", folder / "installed", wheel)
    return folder / "installed"


@pytest.fixture
def pydantic_only(tmp_path: Path) -> Path:
    """A folder that has pydantic and what pydantic itself needs, and nothing else."""
    packages = Path(sysconfig.get_path("purelib"))
    for name in PYDANTIC_FAMILY:
        (tmp_path / name).symlink_to(packages / name)
    return tmp_path


def test_the_wheel_needs_pydantic_and_nothing_else(installed: Path, pydantic_only: Path) -> None:
    answer = json.loads(run("-I", "-S", "-c", PROGRAM, installed, pydantic_only))
    assert Path(answer["from"]).is_relative_to(installed)
    family = {name.removesuffix(".py") for name in PYDANTIC_FAMILY}
    assert set(answer["modules"]) <= {"telecine_contracts", *family}


def test_wheel_metadata_requires_only_pydantic(installed: Path) -> None:
    (metadata,) = installed.glob("telecine_contracts-*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("Requires-Dist:")] == ["Requires-Dist: pydantic>=2.7"]
    assert (installed / "telecine_contracts" / "py.typed").exists()
