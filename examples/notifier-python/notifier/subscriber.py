"""From a message to a line: the only place that knows FastStream."""

import logging

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.annotations import NatsMessage
from faststream.nats.security import NatsNKey
from nats.aio.msg import Msg

from telecine_contracts import BadEnvelope, BadEvent, Envelope, UnknownEvent, registry
from telecine_contracts.streams import VIDEO

from .consumer import FILTERS, INBOX, NAME, Server
from .line_file import LineFile
from .notices import notice

log = logging.getLogger("notifier")
LATER = 30
"""Seconds until an event that this version can't read is tried again."""


def build(server: Server, lines: LineFile) -> FastStream:
    """The application: every event of the consumer becomes a line of the file, once."""
    broker = NatsBroker(
        server.url,
        security=None if server.nkey is None else NatsNKey.from_file(server.nkey),
        inbox_prefix=INBOX,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        log_level=logging.DEBUG,
    )
    events = registry()

    @broker.subscriber(
        FILTERS[0],
        durable=NAME,
        stream=JStream(VIDEO.name, declare=False),  # declared, the stream's settings would be overwritten
        inbox_prefix=f"{INBOX}.".encode(),  # the broker's is not used here, and this one ends with a dot
        pull_sub=PullSub(batch_size=1),  # a larger batch is handled side by side, in no order
        ack_policy=AckPolicy.MANUAL,  # FastStream's default throws an event away when its handler fails
    )
    async def notify(message: NatsMessage) -> None:
        raw = message.raw_message
        assert isinstance(raw, Msg)
        sequence = raw.metadata.sequence.stream
        if sequence > lines.last:
            try:
                envelope = Envelope.from_headers(raw.headers)
                event = events.decode(envelope.type, raw.data)
            except (BadEnvelope, BadEvent, UnknownEvent) as problem:
                log.error("event %s can't be read, install newer contracts: %s", sequence, problem)
                await message.nack(delay=LATER)
                return
            lines.append(notice(event, envelope, sequence))
        await message.ack()

    return FastStream(broker)
