"""The CHECKPOINTS stream: signed statements of what the ledger was, for those who check that it still is."""

from typing import Annotated, ClassVar

from pydantic import Field

from .message import Event


class CheckpointSigned(Event):
    """The first `size` entries of a stream have this RFC 6962 root, says whoever holds the key.

    `note` is the checkpoint itself, a C2SP signed note (https://c2sp.org/tlog-checkpoint): origin, size, root and
    Ed25519 signature. The other fields repeat what it says. The leaves of the tree are told in
    `telecine_contracts.transparency`.
    """

    type: ClassVar[str] = "checkpoint.signed.v1"
    action: ClassVar[str] = "signed"
    stream: ClassVar[str] = "CHECKPOINTS"
    written_by: ClassVar[str] = "credits"

    log: Annotated[
        str,
        Field(
            description="The stream that was checked, in lower case: ledger",
            json_schema_extra={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        ),
    ]
    size: Annotated[int, Field(ge=1, description="Entries in the tree: the stream's sequences 1 to size")]
    root: Annotated[str, Field(description="Root hash of the tree, base64")]
    note: Annotated[str, Field(description="The signed note, with its newlines")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.log,)
