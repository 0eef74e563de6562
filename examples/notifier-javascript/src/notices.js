// What a reader of the notices wants to know about an event. Pure.

const OUTCOMES = {
  "video.stored.v1": (body) => ["completed", body.key],
  "video.storage_failed.v1": (body) =>
    body.stopgap_url ? ["completed", body.stopgap_url] : ["failed", body.message],
  "generation.failed.v1": (body) => ["failed", body.message],
  "generation.cancelled.v1": () => ["cancelled", "cancelled by the user"],
};

/** Names of the events with which a generation ends. */
export const ENDS = Object.keys(OUTCOMES);

/** The line for one of ENDS. `sequence` is the event's place in its stream: it only ever grows. */
export function notice({ type, id, time, body }, sequence) {
  const [outcome, what] = OUTCOMES[type](body);
  return { sequence, event: id, time, account: body.account, generation: body.generation, outcome, what };
}
