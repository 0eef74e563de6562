"""`telecine-audit objects`: whether every stored video lies in the bucket as it was stored."""

import argparse
import os
import sys
from pathlib import Path

from telecine_auditor.audit.object_checks import ObjectAudit
from telecine_auditor.audit.object_store import ObjectStore, StoreAccess
from telecine_auditor.breaches import BreachList
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.terminal.tables import number, print_json

NAME = "objects"
SUMMARY = "every stored video against its object in the bucket"
_KEPT = 1000
_SHOWN_UNKNOWN = 10


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Compares every VideoStored on VIDEO with the object that it names: is it there, has it the size that was\n"
        "stored and, with --deep, the SHA-256. Objects that no event names are counted and are not a breach: copies\n"
        "under way, and videos of accounts that were erased from VIDEO. Only lists and reads."
    )
    parser.epilog = (
        "examples:\n"
        "  telecine-audit objects --endpoint https://ACCOUNT.r2.cloudflarestorage.com --access-key KEY \\\n"
        "    --secret-key-file s3_secret_key --nkey-seed auditor.nk\n"
        "  telecine-audit objects --from ./mirror --bucket copy-of-videos --deep --json\n"
        "\n"
        "exit codes: 0 every object is as it was stored, 1 one is missing or differs, 2 it could not be found out"
    )
    group = parser.add_argument_group("where the objects are")
    group.add_argument(
        "--endpoint",
        metavar="URL",
        default=os.environ.get("TELECINE_S3_ENDPOINT"),
        help="the object store (default: TELECINE_S3_ENDPOINT)",
    )
    group.add_argument(
        "--region",
        metavar="NAME",
        default=os.environ.get("TELECINE_S3_REGION") or "auto",
        help="its region (default: TELECINE_S3_REGION, now %(default)s)",
    )
    group.add_argument(
        "--access-key",
        metavar="ID",
        default=os.environ.get("TELECINE_S3_ACCESS_KEY"),
        help="key id that may list and read (default: TELECINE_S3_ACCESS_KEY)",
    )
    group.add_argument(
        "--secret-key-file",
        type=Path,
        metavar="FILE",
        default=os.environ.get("TELECINE_S3_SECRET_KEY_FILE"),
        help="file with its secret (default: TELECINE_S3_SECRET_KEY_FILE, or the secret in TELECINE_S3_SECRET_KEY)",
    )
    group.add_argument(
        "--bucket", metavar="NAME", help="look in this bucket, whichever one the events name: for a copy"
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="read every object and compare its SHA-256: all bytes are transferred",
    )
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Print what was compared, and every object that is not as it was stored."""
    found = BreachList(_KEPT)
    store = ObjectStore(_access(options))
    try:
        audit = ObjectAudit(store, found, bucket=options.bucket, deep=options.deep, quiet=options.json)
        async with opened(options) as source:
            await audit.run(source)
    finally:
        store.close()
    if audit.newer and not found.count:
        raise CommandError(
            f"{audit.newer} VideoStored events are of a version that this program does not know: install a newer "
            f"telecine-auditor; of {number(audit.videos)} videos that it knows, none is missing or differs"
        )
    if options.json:
        print_json(
            NAME,
            {
                "sequence": audit.sequence,
                "videos": audit.videos,
                "bytes": audit.bytes,
                "deep": options.deep,
                "unknown_objects": audit.unknown,
                "unknown_keys": audit.unknown_keys,
                "newer_events": audit.newer,
                "count": found.count,
                "breaches": [breach.as_json() for breach in found.kept],
            },
        )
    else:
        sys.stdout.write("\n".join(_text(audit, found)) + "\n")
    return BREACH if found.count else CLEAN


def _access(options: argparse.Namespace) -> StoreAccess:
    secret = os.environ.get("TELECINE_S3_SECRET_KEY", "")
    if options.secret_key_file is not None:
        try:
            secret = Path(options.secret_key_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text"
            raise CommandError(
                f"cannot read the secret key in {options.secret_key_file}: {reason}"
            ) from error
    given = {
        "--endpoint": options.endpoint,
        "--access-key": options.access_key,
        "--secret-key-file": secret,
    }
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise CommandError(f"say where the objects are: {', '.join(missing)} missing")
    return StoreAccess(
        endpoint=options.endpoint, region=options.region, access_key=options.access_key, secret_key=secret
    )


def _text(audit: ObjectAudit, found: BreachList) -> list[str]:
    lines = [
        f"{number(audit.videos)} stored videos, {number(audit.bytes)} bytes, up to VIDEO#{audit.sequence}"
    ]
    if audit.unknown:
        lines.append(
            f"{number(audit.unknown)} objects that no event names: copies under way, or videos of erased accounts"
        )
        lines += [f"  {one_line(key)}" for key in audit.unknown_keys[:_SHOWN_UNKNOWN]]
        if audit.unknown > _SHOWN_UNKNOWN:
            lines.append(f"  and {number(audit.unknown - _SHOWN_UNKNOWN)} more (--json lists them)")
    lines += [one_line(str(breach)) for breach in found.kept]
    if found.count > len(found.kept):
        lines.append(f"and {number(found.count - len(found.kept))} more")
    ending = (
        f"Objects that are not as they were stored: {number(found.count)}"
        if found.count
        else "Every stored video is in the bucket."
    )
    return [*lines, ending]
