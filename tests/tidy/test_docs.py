"""The documents name nothing that is not there: links, files, settings, make targets, consumers, decisions."""

import re
import subprocess
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from telecine_auditor.cli import COMMANDS as AUDITS
from telecine_chassis.settings.base import ServiceSettings
from telecine_chassis.settings.secrets import is_secret
from telecine_cli.app import build
from telecine_contracts.streams import CONSUMERS

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "credits", "generation", "storage")
_FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_VARIABLE = re.compile(r"TELECINE_[A-Z0-9_]*[A-Z0-9]")
_MAKE = re.compile(r"\bmake +(?!PYTHON=)([a-z][a-z-]*)")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.py")


def _tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [path for name in names.stdout.split("\0") if name and (path := ROOT / name).is_file()]


FILES = _tracked()
NAMES = {path.name for path in FILES}
MADE = [line[1:] for line in (ROOT / ".gitignore").read_text().splitlines() if line[:1] == "/"]
"""Folders that commands make, and git does not have."""
FOLDERS = {path.relative_to(ROOT).parts[0] for path in FILES if path.parent != ROOT}
DOCUMENTS = sorted(path for path in FILES if path.suffix == ".md")
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def _prose(document: Path) -> str:
    """The text of a document without its blocks of code."""
    return _FENCE.sub("", document.read_text(encoding="utf-8"))


def _code(document: Path) -> str:
    """Its blocks and spans of code, a line each."""
    text = document.read_text(encoding="utf-8")
    blocks = [match[0] for match in _FENCE.finditer(text)]
    return "\n".join([*blocks, *_CODE.findall(_FENCE.sub("", text))])


def _anchors(document: Path) -> set[str]:
    """What a link to one of the document's headings says behind the #, as GitHub makes it."""
    headings = (heading.lower() for heading in _HEADING.findall(_prose(document)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def _invalid_links(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in _anchors(target)


@every_document
def test_links_resolve(document: Path) -> None:
    links = _LINK.findall(_CODE.sub("", _prose(document)))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if _invalid_links(document, link)] == []


@every_document
def test_files_that_are_named_exist(document: Path) -> None:
    spans = [span.rstrip("/") for span in _CODE.findall(_prose(document)) if _PATH.fullmatch(span)]
    assert [span for span in spans if not _is_there(document, span)] == []


def _is_there(document: Path, name: str) -> bool:
    """A bare module name may stand for a file anywhere; a path begins at the root or at the document's folder."""
    if "/" not in name:
        return name in NAMES
    if name.partition("/")[0] not in FOLDERS | {path.name for path in document.parent.iterdir()}:
        return True  # no path of this repository: a URL's, a media type, a provider's
    if any(f"{name}/".startswith(made) for made in MADE):
        return True
    return (ROOT / name).exists() or (document.parent / name).exists()


@every_document
def test_settings_that_are_named_exist(document: Path) -> None:
    assert set(_VARIABLE.findall(document.read_text(encoding="utf-8"))) - _settings() == set()


def _settings() -> set[str]:
    classes: list[type[ServiceSettings]] = [
        import_module(f"telecine_{service}.settings").Settings for service in SERVICES
    ]
    fields = dict(chain.from_iterable(settings.model_fields.items() for settings in classes))
    files = {f"{name}_file" for name, field in fields.items() if is_secret(field)}
    return {f"TELECINE_{name.upper()}" for name in (*fields, *files)} | _settings_of_compose()


def _settings_of_compose() -> set[str]:
    """What may be set for the containers alone, in .env."""
    texts = [path.read_text(encoding="utf-8") for path in FILES if path.name.endswith("compose.yml")]
    return {name for text in texts for name in re.findall(r"\$\{(TELECINE_\w+)", text)}


@every_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(_MAKE.findall(_code(document))) - set(targets) == set()


@every_document
def test_commands_that_are_named_exist(document: Path) -> None:
    code = _code(document)
    named = set(re.findall(r"(?<![\w./-])telecine ([a-z][a-z-]+)(?! *=)", code))
    named |= set(re.findall(r"(?:--rm|--no-deps|PGPASSWORD) operator ([a-z][a-z-]+)", code))
    command = get_command(build())
    assert isinstance(command, TyperGroup)
    assert named - set(command.commands) == set()
    audited = set(re.findall(r"telecine-audit ([a-z][a-z-]+)", code)) - {"operator"}
    assert audited - set(AUDITS) == set()


@every_document
def test_secrets_and_containers_that_are_named_exist(document: Path) -> None:
    """Those of docker-compose.yml."""
    code, compose = _code(document), (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = set(re.findall(r"file: \./(deploy/secrets/[\w./]+)", compose))
    files = re.findall(r"deploy/secrets/[a-z_]*[a-z](?![\w/])", code)
    assert set(files) - secrets - {"deploy/secrets/nats"} == set()
    services = set(re.findall(r"^  ([a-z][a-z0-9-]*):$", compose, re.MULTILINE))
    named = re.findall(r"docker compose (?:restart|stop|start|logs|exec -T) ([a-z ]*[a-z])", code)
    assert {name for names in named for name in names.split()} - services <= {"psql"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_its_consumers_and_no_others(service: str) -> None:
    readme = ROOT / "services" / service / "README.md"
    named = {span for span in _CODE.findall(_prose(readme)) if re.fullmatch(rf"{service}-[a-z-]+", span)}
    assert named == {consumer.name for consumer in CONSUMERS if consumer.service == service}


def test_consumers_of_others_that_are_named_exist() -> None:
    known = {consumer.name for consumer in CONSUMERS}
    form = re.compile(rf"({'|'.join(SERVICES)})-(debit|close|submit|deny|cancel|timers|copy)\w*")
    named = {span for path in DOCUMENTS for span in _CODE.findall(_prose(path)) if form.fullmatch(span)}
    assert named - known == set()


def test_every_decision_is_in_the_index() -> None:
    index = ROOT / "docs" / "adr" / "README.md"
    pages = {path.name for path in DOCUMENTS if path.parent == index.parent} - {index.name}
    assert set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", index.read_text(encoding="utf-8"))) == pages


def test_decisions_have_a_number_each_and_the_same_headings() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    # A number may be missing: several decisions are written at the same time, each with a number taken in advance.
    assert len({path.name[:4] for path in pages}) == len(pages)
    parts = ["Context", "Decision", "Consequences", "Alternatives that were rejected"]
    for path in pages:
        title, *headings = _HEADING.findall(path.read_text(encoding="utf-8"))
        assert title.startswith(f"{int(path.name[:4])}. ")
        assert headings == parts, path.name


def test_the_files_of_a_request_exist_and_are_listed_once() -> None:
    """ARCHITECTURE lists them in the order of execution; a reader does not return to a file already left."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("\n## One request, file by file\n")[2].partition("\n## ")[0]
    service, listed = "", []
    for row in re.findall(r"^\| (\w*) \|.*\| (.+) \|$", table, re.MULTILINE):
        service = row[0] or service
        listed += [
            ROOT / "services" / service / f"telecine_{service}" / name for name in _CODE.findall(row[1])
        ]
    assert len(listed) > 20
    assert [path for path in listed if not path.is_file()] == []
    assert len(set(listed)) == len(listed)
