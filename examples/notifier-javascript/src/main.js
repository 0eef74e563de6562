// `node src/main.js provision`, once; then `node src/main.js run`.

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { connect } from "@nats-io/transport-node";
import { provision } from "./consumer.js";
import { Contract } from "./contract.js";
import { LineFile } from "./line-file.js";
import { ENDS } from "./notices.js";
import { follow } from "./subscriber.js";

const USAGE = `usage: node src/main.js provision|run [--nats HOST:PORT] [--file FILE] [--contract FOLDER]

  --nats      the NATS server (nats://127.0.0.1:4222)
  --file      where the lines go (notices.jsonl)
  --contract  the folder with asyncapi.json and schemas/ (contracts in this repository)`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nats: { type: "string", default: "nats://127.0.0.1:4222" },
    file: { type: "string", default: "notices.jsonl" },
    contract: { type: "string", default: fileURLToPath(new URL("../../../contracts", import.meta.url)) },
  },
});

const [command, ...others] = positionals;
if (!["provision", "run"].includes(command) || others.length > 0) {
  console.error(USAGE);
  process.exit(2);
}

const contract = new Contract(options.contract, ENDS);
const connection = await connect({ servers: options.nats, maxReconnectAttempts: -1 });
try {
  if (command === "provision") await provision(connection, contract);
  else await run();
} finally {
  await connection.close();
}

async function run() {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  const lines = new LineFile(options.file);
  await follow(connection, contract, lines, stop.signal);
  lines.close();
}
