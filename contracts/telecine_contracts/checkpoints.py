"""The CHECKPOINTS stream: signed root hashes of the ledger, by which auditors detect changed or missing entries."""

from typing import Annotated, ClassVar

from pydantic import Field

from .message import Event


class CheckpointSigned(Event):
    """The holder of the signing key states that the first `size` entries of a stream have this RFC 6962 root.

    `note` is the checkpoint, a C2SP signed note (https://c2sp.org/tlog-checkpoint): origin, size, root and Ed25519
    signature. The other fields repeat its contents. `telecine_contracts.transparency` defines the leaves of the tree.
    """

    type: ClassVar[str] = "checkpoint.signed.v1"
    action: ClassVar[str] = "signed"
    stream: ClassVar[str] = "CHECKPOINTS"
    written_by: ClassVar[str] = "credits"

    log: Annotated[
        str,
        Field(
            description="The stream, in lower case: ledger",
            json_schema_extra={"pattern": "^[A-Za-z0-9_-]{1,64}$"},
        ),
    ]
    size: Annotated[int, Field(ge=1, description="Entries in the tree: the stream's sequences 1 to size")]
    root: Annotated[str, Field(description="Root hash of the tree, base64")]
    note: Annotated[str, Field(description="The signed note, with its newlines")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.log,)
