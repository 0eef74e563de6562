"""From a message to a line: the only place that knows FastStream."""

import logging

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.annotations import NatsMessage
from nats.aio.msg import Msg

from telecine_contracts import BadEnvelope, BadEvent, Envelope, UnknownEvent, registry
from telecine_contracts.streams import VIDEO

from .consumer import FILTERS, NAME
from .line_file import LineFile
from .notices import notice

log = logging.getLogger("notifier")
LATER = 30
"""Seconds until an event that this version can't read is tried again."""


def build(url: str, lines: LineFile) -> FastStream:
    """The application: every event of the consumer becomes a line of the file, once."""
    broker = NatsBroker(url, max_reconnect_attempts=-1, reconnect_time_wait=1, log_level=logging.DEBUG)
    events = registry()

    @broker.subscriber(
        FILTERS[0],
        durable=NAME,
        stream=JStream(VIDEO.name, declare=False),  # declared, the stream's settings would be overwritten
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
