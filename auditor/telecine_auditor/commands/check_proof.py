"""`telecine-audit check-proof`: is this entry in the ledger? Checked offline, with the public key alone."""

import base64
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine_auditor.errors import CommandError, MalformedProof, NoTrustedSignature, ProofMismatch
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import JsonOption, KeyOption
from telecine_auditor.terminal.sanitizer import one_line, printable_json
from telecine_auditor.transparency.checkpoints import read_keys
from telecine_auditor.transparency.proofs import Proof, ProvenEntry, verify_proof

NAME = "check-proof"
_PROVEN = ("sequence", "signed_by", "size", "subject", "headers", "body")

HELP = (
    "Checks what `telecine-audit prove` wrote and prints the entry that it proves. No server is contacted: the log's "
    "public key is all that has to be trusted."
)
EXAMPLES = """\
examples:
  telecine-audit check-proof 1207.tlog-proof --key ledger.vkey
  telecine-audit prove 1207 --key ledger.vkey | telecine-audit check-proof - --key ledger.vkey"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    file: Annotated[
        Path, typer.Argument(parser=Path, metavar="FILE", help="The proof; - for standard input.")
    ]
    key: KeyOption = field(default_factory=list)
    json: JsonOption = False


async def run(options: Options) -> int:
    """Check the proof."""
    if not options.key:
        raise CommandError("--key is required: the checkpoint signer's public key")
    try:
        found = verify_proof(Proof.of(_read(options.file)), read_keys(options.key))
    except ProofMismatch as error:
        if options.json:
            print_json(NAME, {"holds": False, "says": str(error), **dict.fromkeys(_PROVEN)})
        else:
            print(f"{options.file} proves nothing: {error}")
        return BREACH
    except (MalformedProof, NoTrustedSignature) as error:
        raise CommandError(f"{options.file} cannot be checked: {error}") from None
    if options.json:
        print_json(NAME, _document(found))
    else:
        print("\n".join(_text(found)))
    return CLEAN


def _read(path: Path) -> str:
    if str(path) == "-" and sys.stdin is None:
        raise CommandError("standard input is closed, so there is no proof to read")
    try:
        return (sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()).decode()
    except OSError as error:
        raise CommandError(f"the proof {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise MalformedProof("a proof is UTF-8 text") from None


def _text(found: ProvenEntry) -> list[str]:
    size, name = found.checkpoint.size, found.signed_by
    headers = [one_line(line) for line in found.head.decode("utf-8", "replace").split("\r\n") if line]
    return [
        f"Proven: this is entry {found.sequence} of the {size} entries that {name} signed.",
        "",
        one_line(found.subject),
        *headers,
        "",
        _shown(found.body),
    ]


def _shown(body: bytes) -> str:
    try:
        return printable_json(json.loads(body))
    except (ValueError, RecursionError):
        return one_line(body.decode("utf-8", "replace"))


def _document(found: ProvenEntry) -> dict[str, Any]:
    return {
        "holds": True,
        "says": None,
        "sequence": found.sequence,
        "signed_by": found.signed_by,
        "size": found.checkpoint.size,
        "subject": found.subject,
        "headers": found.head.decode("utf-8", "replace").split("\r\n")[:-1],
        "body": base64.b64encode(found.body).decode(),
    }
