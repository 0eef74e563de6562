"""Example programs of about ten lines for a new subscriber, one for each client library."""

import json
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Client", "ProgramOptions", "program"]


class Client(StrEnum):
    """A client library."""

    NATS_PY = "nats-py"
    FASTSTREAM = "faststream"
    JAVASCRIPT = "javascript"

    @property
    def file(self) -> str:
        """The file name of the program."""
        return _FILES[self][0]

    @property
    def install(self) -> str:
        """The command that installs what the program imports."""
        return _FILES[self][1]

    @property
    def run(self) -> str:
        """The command that runs it."""
        return _FILES[self][2]


@dataclass(frozen=True)
class ProgramOptions:
    """The consumer and the server of a program. `seed`: the seed file; None for a server without identities.

    `nats_url`: one URL, or several separated by commas.
    """

    name: str
    stream: str
    subject: str
    nats_url: str
    seed: str | None


_FILES = {
    Client.NATS_PY: ("first.py", "pip install 'nats-py[nkeys]>=2.16'", "python first.py"),
    Client.FASTSTREAM: (
        "first.py",
        "pip install 'faststream[nats]>=0.7.8,<0.8' 'nats-py[nkeys]>=2.16'",
        "python first.py",
    ),
    Client.JAVASCRIPT: (
        "first.mjs",
        "npm install @nats-io/transport-node@~3.3.1 @nats-io/jetstream@~3.3.1",
        "node first.mjs",
    ),
}

_NATS_PY = """\
import asyncio, nats

async def main():
    connection = await nats.connect(
        {url}, {seed}inbox_prefix={inbox}, max_reconnect_attempts=-1)
    events = await connection.jetstream().pull_subscribe_bind({name}, {stream})
    while True:
        try:
            [message] = await events.fetch(1, timeout=60)
        except nats.errors.TimeoutError:
            continue  # no event for a minute
        print(message.metadata.sequence.stream, message.subject, message.data.decode(), flush=True)
        await message.ack()  # only after your own work is on disk

asyncio.run(main())
"""
_FASTSTREAM = """\
import asyncio
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
{security_import}
broker = NatsBroker(
    {url}, {seed}inbox_prefix={inbox}, max_reconnect_attempts=-1)

# The prefix again, with a dot at its end: the subscriber does not take the broker's.
@broker.subscriber({subject}, durable={name}, stream=JStream({stream}, declare=False),
                   inbox_prefix=b{inbox_dot}, pull_sub=PullSub(batch_size=1), ack_policy=AckPolicy.MANUAL)
async def handle(message: NatsMessage) -> None:
    print(message.raw_message.subject, message.body.decode(), flush=True)
    await message.ack()  # only after your own work is on disk

asyncio.run(FastStream(broker).run())
"""
_JAVASCRIPT = """\
{read_import}import {{ connect{authenticator_import} }} from "@nats-io/transport-node";
import {{ jetstream }} from "@nats-io/jetstream";

const connection = await connect({{
  servers: {url}, {seed}inboxPrefix: {inbox}, maxReconnectAttempts: -1 }});
const consumer = await jetstream(connection).consumers.get({stream}, {name});
for await (const message of await consumer.consume({{ max_messages: 1 }})) {{
  console.log(message.seq, message.subject, message.string());
  message.ack(); // only after your own work is on disk
}}
"""


def program(client: Client, wanted: ProgramOptions) -> str:
    """The source of a program that prints every event and acknowledges it."""
    inbox, urls = f"_INBOX.{wanted.name}", wanted.nats_url.split(",")
    values = {
        "url": json.dumps(urls if len(urls) > 1 else wanted.nats_url),
        "name": json.dumps(wanted.name),
        "stream": json.dumps(wanted.stream),
        "subject": json.dumps(wanted.subject),
        "inbox": json.dumps(inbox),
        "inbox_dot": json.dumps(f"{inbox}."),
    }
    seed = None if wanted.seed is None else json.dumps(wanted.seed)
    match client:
        case Client.NATS_PY:
            return _NATS_PY.format(**values, seed=f"nkeys_seed={seed}, " if seed else "")
        case Client.FASTSTREAM:
            return _FASTSTREAM.format(
                **values,
                seed=f"security=NatsNKey.from_file({seed}), " if seed else "",
                security_import="from faststream.nats.security import NatsNKey\n" if seed else "",
            )
        case Client.JAVASCRIPT:
            return _JAVASCRIPT.format(
                **values,
                read_import='import { readFileSync } from "node:fs";\n' if seed else "",
                authenticator_import=", nkeyAuthenticator" if seed else "",
                seed=(
                    f"authenticator: nkeyAuthenticator(readFileSync({seed}).subarray(0, 58)), "
                    if seed
                    else ""
                ),
            )
