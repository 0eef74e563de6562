"""The notifier's durable consumer and how to reach it. The operator creates it: `telecine subscribers add`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from nats.js.errors import NotFoundError

from telecine_contracts.streams import VIDEO
from telecine_contracts.subjects import of_type

from .notices import ENDS

NAME = "notifier-python"
"""Of the consumer and of the identity."""
INBOX = f"_INBOX.{NAME}"
"""The beginning of the only subjects that the identity may listen to."""
FILTERS = [of_type(event) for event in ENDS]
MISSING = f"""\
consumer {NAME} does not exist. An operator of telecine creates it:
  telecine subscribers add {NAME} {" ".join(f"--filter '{each}'" for each in FILTERS)}"""


@dataclass(frozen=True)
class Server:
    """A NATS server. `nkey`: the file with the identity's seed, None for a server without identities."""

    url: str
    nkey: Path | None = None


async def exists(server: Server) -> bool:
    """Whether the consumer is there. FastStream would try to create one with settings of its own."""
    key: dict[str, Any] = {} if server.nkey is None else {"nkeys_seed": str(server.nkey)}
    connection = await nats.connect(server.url, inbox_prefix=INBOX, allow_reconnect=False, **key)
    try:
        await connection.jetstream().consumer_info(VIDEO.name, NAME)
    except NotFoundError:
        return False
    else:
        return True
    finally:
        await connection.close()
