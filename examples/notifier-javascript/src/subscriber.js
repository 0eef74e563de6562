// From a message to a line: the only place that knows JetStream's messages.

import { JetStreamApiCodes, JetStreamApiError, jetstream } from "@nats-io/jetstream";
import { Unreadable } from "./contract.js";
import { notice } from "./notices.js";

/** The name of the consumer and of the identity; the operator creates both with `telecine subscribers add`. */
export const NAME = "notifier-javascript";

const LATER = 30_000; // milliseconds until an event that this version can't read is tried again

/** Follow the events of the consumer until `signal` is aborted: every event becomes a line of the file, once. */
export async function follow(connection, contract, lines, signal) {
  const consumer = await found(jetstream(connection).consumers.get(contract.stream, NAME), contract.filters);
  const messages = await consumer.consume({ max_messages: 1 });
  signal.addEventListener("abort", () => messages.stop());
  for await (const message of messages) {
    handle(message, contract, lines);
  }
}

async function found(asked, filters) {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.ConsumerNotFound) throw error;
    const wanted = filters.map((filter) => `--filter '${filter}'`).join(" ");
    throw new Error(
      `consumer ${NAME} does not exist. An operator of telecine creates it:\n  telecine subscribers add ${NAME} ${wanted}`,
    );
  }
}

function handle(message, contract, lines) {
  if (message.seq > lines.last) {
    let event;
    try {
      event = contract.read(message.headers, message.data);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      console.error(`event ${message.seq} can't be read, update the contract: ${error.message}`);
      message.nak(LATER);
      return;
    }
    lines.append(notice(event, message.seq));
  }
  message.ack();
}
