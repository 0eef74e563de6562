"""The repository checks itself. Each check that fails says what to do."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "telecine_contracts": "contracts",
    "telecine_jetstream": "jetstream",
    "telecine_chassis": "chassis",
    "telecine_gateway": "services/gateway",
    "telecine_credits": "services/credits",
    "telecine_generation": "services/generation",
    "telecine_storage": "services/storage",
    "telecine_emulator": "emulator",
    "telecine_auditor": "auditor",
    "telecine_cli": "cli",
}
CATCH_ALL_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
LONGEST = 400


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A tool of the virtual environment, run at the root."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def tracked(*patterns: str) -> list[Path]:
    """Files that git has, or every file where there is no git."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in found.stdout.split("\0") if name]
    assert names, "run this in a git checkout"
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def modules() -> list[Path]:
    """Every Python module that ships."""
    return [path for folder in PACKAGES.values() for path in (ROOT / folder).rglob("*.py")]


def test_every_package_carries_the_licence() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    for folder in PACKAGES.values():
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        assert (project.get("license"), project.get("license-files")) == ("Apache-2.0", ["LICENSE"]), folder
        assert (ROOT / folder / "LICENSE").read_text() == licence, f"{folder}/LICENSE is a link to the root's"


def test_ruff() -> None:
    done = tool("ruff", "check", ".")
    assert done.returncode == 0, f"run `ruff check --fix .` and look at the rest:\n{done.stdout[-3000:]}"


def test_everything_is_formatted() -> None:
    done = tool("ruff", "format", "--check", ".")
    assert done.returncode == 0, f"run `ruff format .`:\n{done.stdout[-3000:]}"


def test_mypy_packages() -> None:
    packages = [argument for package in PACKAGES for argument in ("-p", package)]
    done = tool("mypy", *packages, "-p", "bench")
    assert done.returncode == 0, f"fix the types:\n{done.stdout[-3000:]}"


def test_mypy_tests() -> None:
    done = tool("mypy", "-p", "tests")
    assert done.returncode == 0, f"fix the types:\n{done.stdout[-3000:]}"


def test_import_contracts() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"see .importlinter for the rule that is broken:\n{done.stdout[-3000:]}"


def test_no_catch_all_modules() -> None:
    drawers = [path for path in modules() if path.stem in CATCH_ALL_NAMES and path.parent.name != "settings"]
    assert drawers == [], "name the file after what it holds"


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): n
        for path in modules()
        if (n := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}, f"a module has at most {LONGEST} lines: split it by what it is about"


def test_every_module_says_what_it_is() -> None:
    silent = [path for path in modules() if ast.get_docstring(ast.parse(path.read_text())) is None]
    assert [path for path in silent if path.name != "__init__.py"] == [], "write one sentence at the top"


def test_tests_wait_for_conditions_not_for_time() -> None:
    sleeping = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in tracked("tests/*.py")
        if "support" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and sleeps(node)
    ]
    assert sleeping == [], "wait for a condition, with tests/support/eventually.py"


def sleeps(call: ast.Call) -> bool:
    """Whether a call lets time pass; sleep(0) only lets others run."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr == "sleep"
    return named and not (isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)


def test_every_subscriber_has_our_acknowledgement_policy() -> None:
    """FastStream's default drops an event whose handler raises."""
    bare = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr == "subscriber":
                words = {keyword.arg for keyword in node.keywords}
                if "stream" in words and "ack_policy" not in words:
                    bare.append(f"{path.name}:{node.lineno}")
    assert bare == [], "say ack_policy=AckPolicy.MANUAL and acknowledge as the reactor does"


def test_no_service_declares_a_stream() -> None:
    """FastStream rewrites the settings of a stream that it may declare."""
    declaring = [
        path.name for path in modules() if re.search(r"JStream\((?!.*declare=False)", path.read_text())
    ]
    assert declaring == [], "write JStream(name, declare=False): `telecine provision` alone makes streams"


def test_no_machine_and_no_registry_is_named() -> None:
    words = [
        "pypi" + ".org",
        "python" + "hosted",
        "registry" + ".npmjs",
        "deb." + "debian",
        "/ro" + "ot/",
        "/wo" + "rk/",
    ]
    named = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked()
        if path.suffix not in {".png", ".mp4"}
        for word in words
        if word in path.read_text(errors="replace")
    ]
    assert named == [], "take the name of the host or the path of the machine out"


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-test.txt"])
def test_a_lock_has_hashes_and_names_no_index(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    pinned = [line for line in lines if "==" in line and not line.startswith(" ")]
    assert pinned, "run `make lock`"
    assert [line for line in pinned if not line.rstrip().endswith("\\")] == [], (
        "every requirement needs hashes: `make lock`"
    )
    assert [line for line in lines if line.startswith("-")] == [], "no index lines in the lock: `make lock`"


def test_the_locks_agree_on_every_version() -> None:
    run, test = (pinned_versions(ROOT / lock) for lock in ("requirements.txt", "requirements-test.txt"))
    assert {
        name: (run[name], test[name]) for name in run.keys() & test.keys() if run[name] != test[name]
    } == {}


def pinned_versions(lock: Path) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if match := re.match(r"([a-z0-9_.-]+)(?:\[[^]]*\])?==([^ ;]+)", line):
            versions.setdefault(match[1], set()).add(match[2])
    return versions


def test_every_module_imports_in_an_empty_environment_and_does_nothing() -> None:
    """No settings are read, no file or socket is opened, nothing is printed at import."""
    names = sorted(
        str(path.relative_to(ROOT / folder).with_suffix("")).replace(os.sep, ".").removesuffix(".__init__")
        for folder in PACKAGES.values()
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__main__.py"
    )
    program = f"""
import importlib, sys
DEEDS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "sqlite3.connect")
def watch(event, arguments):
    writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event in DEEDS or writing:
        raise AssertionError(f"{{event}} at import: {{arguments}}")
sys.addaudithook(watch)
for name in {names!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "move the work into a function"
