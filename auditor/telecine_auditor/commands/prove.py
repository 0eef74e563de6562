"""`telecine-audit prove`: a proof that one entry is in the ledger, for those who have only the public key."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.sources.port import LEDGER, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import add_key_option, add_source_options, opened
from telecine_auditor.terminal.output_files import text_file
from telecine_auditor.terminal.period_options import sequence
from telecine_auditor.terminal.tables import Progress, print_json
from telecine_auditor.transparency.checkpoints import SignedCheckpoint, from_file, published, read_keys
from telecine_auditor.transparency.inclusion import ProofBuilder
from telecine_auditor.transparency.proofs import Proof
from telecine_contracts.transparency import leaf_hash

NAME = "prove"
SUMMARY = "write a proof that an entry is in the ledger, to be checked offline"

_DESCRIPTION = """\
Writes an inclusion proof (C2SP tlog-proof): the entry, the hashes that lead from it to the root, and the signed
checkpoint with that root. `telecine-audit check-proof` checks it with the log's public key and nothing else.

The proof is against the smallest signed checkpoint that covers the entry, or against --checkpoint."""
_EPILOG = """\
examples:
  telecine-audit prove 1207 --key ledger.vkey --out 1207.tlog-proof
  telecine-audit prove 1207 --key ledger.vkey --checkpoint ledger.checkpoint --from ./mirror > 1207.tlog-proof"""


class _NoProof(Exception):
    """The ledger is not the one that was signed."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach
        super().__init__(breach.says)


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("sequence", metavar="SEQUENCE", type=sequence, help="the entry's sequence in LEDGER")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the proof (default: stdout)")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="prove against this signed checkpoint"
    )
    add_key_option(parser)
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Write the proof."""
    if not options.key:
        raise CommandError("--key is needed: the public key of whoever signs the checkpoints")
    breaches: list[Breach] = []
    proof: Proof | None = None
    async with opened(options, breaches.append) as source:
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
        _hand_out(options, proof, checkpoint)
    return BREACH if breaches else CLEAN


async def _checkpoint(
    options: argparse.Namespace, source: Source, breaches: list[Breach]
) -> SignedCheckpoint:
    """The checkpoint to prove against."""
    keys = read_keys(options.key)
    if options.checkpoint:
        known = [from_file(options.checkpoint, keys)]
    else:
        known = (await published(source, keys, breaches.append)).checkpoints
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
                    raise _no_proof(BreachKind.SEQUENCE_GAP, expected, "it is missing")
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


def _no_proof(kind: BreachKind, number: int, says: str) -> _NoProof:
    return _NoProof(Breach(kind, f"no proof can be made, {says}", LEDGER, number))


def _hand_out(options: argparse.Namespace, proof: Proof, checkpoint: SignedCheckpoint) -> None:
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
    options: argparse.Namespace,
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
