"""`telecine-audit prove`: a proof that one entry is in the ledger, which the public key alone verifies."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError
from telecine_auditor.sources.port import LEDGER, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import KeyOption, SourceOptions, open_source, path_option
from telecine_auditor.terminal.output_files import text_file
from telecine_auditor.terminal.period_options import parse_sequence
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.transparency.checkpoints import (
    SignedCheckpoint,
    read_checkpoint_file,
    read_keys,
    read_published,
)
from telecine_auditor.transparency.inclusion import ProofBuilder
from telecine_auditor.transparency.proofs import Proof
from telecine_contracts.transparency import leaf_hash

NAME = "prove"

HELP = (
    "Writes an inclusion proof (C2SP tlog-proof): the entry, the hashes that lead from it to the root, and the signed "
    "checkpoint with that root. `telecine-audit check-proof` checks it with the log's public key and nothing else.\n\n"
    "The proof is against the smallest signed checkpoint that covers the entry, or against --checkpoint."
)
EXAMPLES = """\
examples:
  telecine-audit prove 1207 --key ledger.vkey --out 1207.tlog-proof
  telecine-audit prove 1207 --key ledger.vkey --checkpoint ledger.checkpoint --from ./mirror > 1207.tlog-proof"""


class _NoProof(Exception):
    """The ledger is not the one that was signed."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach
        super().__init__(breach.message)


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    sequence: Annotated[
        int, typer.Argument(metavar="SEQUENCE", parser=parse_sequence, help="The entry's sequence in LEDGER.")
    ]
    out: Annotated[
        Path | None,
        path_option("--out", help="Where to write the proof; default: stdout."),
    ] = None
    checkpoint: Annotated[
        Path | None,
        path_option("--checkpoint", help="Prove against this signed checkpoint."),
    ] = None
    key: KeyOption = field(default_factory=list)


async def run(options: Options) -> int:
    """Write the proof."""
    if not options.key:
        raise CommandError("--key is required: the checkpoint signer's public key")
    breaches: list[Breach] = []
    proof: Proof | None = None
    async with open_source(options, breaches.append) as source:
        checkpoint = await _checkpoint(options, source, breaches)
        try:
            proof = await _proof(source, options.sequence, checkpoint, quiet=options.json)
        except _NoProof as error:
            breaches.append(error.breach)
    if options.json:
        print_json(NAME, _document(options, proof, checkpoint, breaches))
    # Breaches go to stderr: stdout may be the proof.
    sys.stderr.writelines(f"{breach}\n" for breach in breaches)
    if proof:
        _write(options, proof, checkpoint)
    return BREACH if breaches else CLEAN


async def _checkpoint(options: Options, source: Source, breaches: list[Breach]) -> SignedCheckpoint:
    """The checkpoint to prove against."""
    keys = read_keys(options.key)
    if options.checkpoint:
        known = [read_checkpoint_file(options.checkpoint, keys)]
    else:
        known = (await read_published(source, keys, breaches.append)).checkpoints
    covering = [one for one in known if one.checkpoint.size >= options.sequence]
    if not covering:
        largest = max((one.checkpoint.size for one in known), default=0)
        raise CommandError(
            f"no checkpoint covers entry {options.sequence}: the largest one is over {largest} entries"
        )
    return min(covering, key=lambda one: one.checkpoint.size)


async def _proof(source: Source, number: int, checkpoint: SignedCheckpoint, *, quiet: bool) -> Proof:
    size = checkpoint.checkpoint.size
    builder, wanted, expected = ProofBuilder(number - 1, size), b"", 1
    with Progress("read LEDGER", size, not quiet) as progress:
        async for entries in source.batches(LEDGER, upto=size):
            for entry in entries:
                if entry.sequence != expected:
                    raise _no_proof(BreachKind.SEQUENCE_GAP, expected, "the entry is missing")
                stated = entry.stated
                builder.append(leaf_hash(stated))
                if entry.sequence == number:
                    wanted = stated
                expected += 1
            progress.advance(len(entries))
    if not builder.complete:
        raise _no_proof(BreachKind.TRUNCATED, expected, f"the ledger ends before it, and {size} were signed")
    if builder.root() != checkpoint.checkpoint.root:
        words = f"the first {size} entries are not those of checkpoint {checkpoint.place}"
        raise _no_proof(BreachKind.CHECKPOINT_MISMATCH, size, words)
    return Proof(number - 1, builder.proof(), checkpoint.note, wanted)


def _no_proof(kind: BreachKind, number: int, message: str) -> _NoProof:
    return _NoProof(Breach(kind, f"no proof can be made, {message}", LEDGER, number))


def _write(options: Options, proof: Proof, checkpoint: SignedCheckpoint) -> None:
    if options.out:
        with text_file(options.out) as file:
            file.write(str(proof))
    if options.json:
        return
    if options.out:
        size = checkpoint.checkpoint.size
        print(
            f"{options.out}: entry {options.sequence} is among the {size} that {checkpoint.signed_by} signed"
        )
    else:
        sys.stdout.write(str(proof))


def _document(
    options: Options,
    proof: Proof | None,
    checkpoint: SignedCheckpoint,
    breaches: Sequence[Breach],
) -> dict[str, Any]:
    return {
        "holds": not breaches,
        "sequence": options.sequence,
        "checkpoint": {"size": checkpoint.checkpoint.size, "place": checkpoint.place},
        "proof": str(proof) if proof else None,
        "breaches": [breach.as_json() for breach in breaches],
    }
