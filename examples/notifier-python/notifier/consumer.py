"""The notifier's own durable consumer. It is no part of telecine: whoever subscribes makes their own."""

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from telecine_contracts.streams import VIDEO
from telecine_contracts.subjects import of_type

from .notices import ENDS

NAME = "notifier-python"
FILTERS = [of_type(event) for event in ENDS]


def config() -> ConsumerConfig:
    """Everything from the stream's beginning; one event at a time, so a repeated one never comes after a later one."""
    return ConsumerConfig(
        durable_name=NAME,
        description="Example subscriber: one line for every generation that ended",
        filter_subjects=FILTERS,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=3,
        max_ack_pending=1,
        max_deliver=-1,
    )


async def provision(url: str) -> None:
    """Create the consumer, or bring it up to date. Run once, before the first start."""
    connection = await nats.connect(url)
    try:
        await connection.jetstream().add_consumer(VIDEO.name, config())
    finally:
        await connection.close()


async def exists(url: str) -> bool:
    """Whether the consumer is there. FastStream would silently create one with settings of its own."""
    connection = await nats.connect(url)
    try:
        await connection.jetstream().consumer_info(VIDEO.name, NAME)
    except NotFoundError:
        return False
    else:
        return True
    finally:
        await connection.close()
