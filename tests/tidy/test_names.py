"""Folders that explain themselves: few files each, modules that are nouns, one shape for every service."""

import ast
import re
from collections import Counter
from pathlib import Path

from tests.tidy.test_code import PACKAGES, ROOT, modules, tracked

from telecine_contracts.streams import CONSUMERS

WIDEST = 12
# The paths of contracts are public; `commands` has a module for every command of a program.
WIDE = {"telecine_contracts", "commands"}
# Activities that are the field's own nouns.
# `contracts/publishing.py` is public.
GERUNDS = {"pricing", "logging", "tracing", "testing", "provisioning", "publishing"}
SERVICES = ("gateway", "credits", "generation", "storage")
# What a service has at its top, each entry with one meaning; ports and resources are folders.
SERVICE_FILES = {
    "__init__.py",
    "__main__.py",
    "app.py",
    "settings.py",
    "domain.py",
    "instruments.py",
    "request_reply.py",
}
CAMEL = re.compile(r"[a-z]+([A-Z][a-z]+)+")


def folders() -> dict[str, list[Path]]:
    """Python modules of every folder, in products and tests; a package's `__init__.py` does not count."""
    found: dict[str, list[Path]] = {}
    for path in [*modules(), *tracked("tests/*.py", "bench/*.py")]:
        if path.name != "__init__.py":
            found.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    return found


def test_no_folder_is_wide() -> None:
    wide = {
        folder: len(paths)
        for folder, paths in folders().items()
        if Path(folder).name not in WIDE and len(paths) > WIDEST
    }
    assert wide == {}, f"a folder has at most {WIDEST} modules: group them by subject"


def test_modules_are_nouns() -> None:
    verbs = [
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if (path.stem.endswith("ing") and path.stem not in GERUNDS and path.stem != "string")
        or "_of_" in path.stem
    ]
    assert verbs == [], "name a module after the thing that it holds, with the field's standard term"


def test_every_service_has_the_same_layout() -> None:
    other = [
        path.relative_to(ROOT).as_posix()
        for service in SERVICES
        for path in (ROOT / "services" / service / f"telecine_{service}").glob("*.py")
        if path.name not in SERVICE_FILES
    ]
    assert other == [], "put it into rules/, handlers/, read_model/ or the folder of its port or resource"


def test_every_durable_consumer_has_one_handler_module() -> None:
    """Its docstring names the consumers that it serves, for a reader who comes from `nats consumer ls`."""
    served: dict[str, list[str]] = {}
    for service in SERVICES:
        for path in (ROOT / "services" / service / f"telecine_{service}" / "handlers").glob("*.py"):
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            named = re.findall(rf"`({service}-[a-z]+)`", text.splitlines()[0]) if text else []
            for name in named:
                served.setdefault(name, []).append(path.stem)
    names = {consumer.name for consumer in CONSUMERS}
    assert {name: stems for name, stems in served.items() if len(stems) > 1 or name not in names} == {}
    assert names - set(served) == set(), (
        "name the consumer in the first line of its handler module's docstring"
    )


def test_camel_case_stands_in_schemas_alone() -> None:
    """What the gateway says to its clients is camelCase; one model for each body knows that."""
    camel = Counter(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "services/gateway").rglob("*.py")
        if path.name != "schemas.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and CAMEL.fullmatch(key.value)
    )
    assert camel == {}, "a body is a model in the schemas.py of its resource"


def test_packages_are_known() -> None:
    """A distribution that is not listed is not checked by anything here."""
    found = {
        path.parent.relative_to(ROOT).as_posix()
        for path in tracked("*/pyproject.toml", "services/*/pyproject.toml")
    }
    assert {name for name in found if not name.startswith("examples")} == set(PACKAGES.values())
