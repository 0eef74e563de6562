// A web app in one file: users and sessions by Better Auth, a page, and telecine behind the same origin.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const PUBLIC = new URL("../public/", import.meta.url);
const FILES = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/page.js", ["page.js", "text/javascript; charset=utf-8"]],
]);
const FORWARDED = ["authorization", "content-type", "idempotency-key", "range"];
const RETURNED = ["content-type", "content-length", "content-range", "accept-ranges", "retry-after", "www-authenticate"];

/** The users, sessions and signing keys. They live as long as the process: give Better Auth your database instead. */
export function emptyDatabase() {
  return { user: [], session: [], account: [], verification: [], jwks: [] };
}

/** A server that is not listening yet. `url` is where browsers reach it, `telecine` where it reaches the gateway. */
export function webApp({ url, telecine, secret, audience = "telecine", database = emptyDatabase() }) {
  const auth = betterAuth({
    baseURL: url,
    secret,
    database: memoryAdapter(database),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    plugins: [
      jwt({
        jwt: {
          audience,
          // By default a token holds the whole user record. telecine needs the id, which Better Auth puts into `sub`.
          definePayload: ({ user }) => ({ emailVerified: user.emailVerified }),
        },
        jwks: { rotationInterval: 30 * 24 * 3600 },
      }),
    ],
  });
  const authenticate = toNodeHandler(auth);
  return createServer(async (request, response) => {
    const path = new URL(request.url, url).pathname;
    try {
      if (path.startsWith("/api/auth/")) await authenticate(request, response);
      else if (path.startsWith("/telecine/")) await forward(request, response, telecine);
      else sendFile(path, response);
    } catch (error) {
      console.error(error.message);
      response.writeHead(502).end();
    }
  });
}

/** Hand a request on to telecine, so that the page needs no second origin. A reverse proxy does the same. */
async function forward(request, response, telecine) {
  const answer = await fetch(telecine + request.url.slice("/telecine".length), {
    method: request.method,
    headers: Object.fromEntries(FORWARDED.filter((name) => request.headers[name]).map((name) => [name, request.headers[name]])),
    body: ["GET", "HEAD"].includes(request.method) ? undefined : Readable.toWeb(request),
    duplex: "half",
    redirect: "manual",
  });
  const headers = RETURNED.filter((name) => answer.headers.has(name)).map((name) => [name, answer.headers.get(name)]);
  response.writeHead(answer.status, Object.fromEntries(headers));
  if (answer.body) Readable.fromWeb(answer.body).pipe(response);
  else response.end();
}

function sendFile(path, response) {
  const [file, type] = FILES.get(path) ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": type });
  createReadStream(new URL(file, PUBLIC)).pipe(response);
}
