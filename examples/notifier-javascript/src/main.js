// `node src/main.js`: follow the events of the consumer until SIGTERM or Ctrl-C.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { Contract } from "./contract.js";
import { LineFile } from "./line-file.js";
import { ENDS } from "./notices.js";
import { NAME, follow } from "./subscriber.js";

const USAGE = `usage: node src/main.js [--nats HOST:PORT] [--nkey FILE] [--file FILE] [--contract FOLDER]

  --nats      the NATS server (nats://127.0.0.1:4222)
  --nkey      the file with the subscriber's seed, if the server has identities
  --file      where the lines go (notices.jsonl)
  --contract  the folder with asyncapi.json and schemas/ (contracts in this repository)`;

const options = read();
const contract = new Contract(options.contract, ENDS);
const connection = await connect({
  servers: options.nats,
  inboxPrefix: `_INBOX.${NAME}`, // the beginning of the only subjects that the identity may listen to
  maxReconnectAttempts: -1,
  ...(options.nkey && { authenticator: nkeyAuthenticator(seed(options.nkey)) }),
});
try {
  await run();
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

function seed(file) {
  return new TextEncoder().encode(readFileSync(file, "utf-8").trim());
}

function read() {
  try {
    return parseArgs({
      options: {
        nats: { type: "string", default: "nats://127.0.0.1:4222" },
        nkey: { type: "string" },
        file: { type: "string", default: "notices.jsonl" },
        contract: { type: "string", default: fileURLToPath(new URL("../../../contracts", import.meta.url)) },
      },
    }).values;
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}
