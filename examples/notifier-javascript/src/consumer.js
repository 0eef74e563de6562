// The notifier's own durable consumer. It is no part of telecine: whoever subscribes makes their own.

import { AckPolicy, DeliverPolicy, jetstreamManager } from "@nats-io/jetstream";

export const NAME = "notifier-javascript";

/**
 * Create the consumer: everything from the stream's beginning, one event at a time, so that a repeated event never
 * comes after a later one. Run once, before the first start; running it again changes nothing.
 */
export async function provision(connection, { stream, filters }) {
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(stream, {
    durable_name: NAME,
    description: "Example subscriber: one line for every generation that ended",
    filter_subjects: filters,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: 3_000_000_000, // nanoseconds
    max_ack_pending: 1,
    max_deliver: -1,
  });
}
