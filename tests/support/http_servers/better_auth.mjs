// Better Auth with its defaults and its jwt plugin, and a route that makes the next token come with a new key.

import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const [port, secret] = process.argv.slice(2);
const url = `http://127.0.0.1:${port}`;
const database = { user: [], session: [], account: [], verification: [], jwks: [] };
const auth = betterAuth({
  baseURL: url,
  secret,
  database: memoryAdapter(database),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [jwt()],
});
const authenticate = toNodeHandler(auth);

createServer((request, response) => {
  if (request.url !== "/rotate") return authenticate(request, response);
  // As when the rotation interval is over: the keys sign no more, and stay in the JWKS for the grace period.
  for (const key of database.jwks) key.expiresAt = new Date(Date.now() - 1);
  response.writeHead(204).end();
}).listen(Number(port), "127.0.0.1");
