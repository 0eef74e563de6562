import { randomBytes } from "node:crypto";
import { webApp } from "./app.js";

const port = Number(process.env.PORT ?? 3000);
const url = process.env.APP_URL ?? `http://127.0.0.1:${port}`;
const telecine = process.env.GATEWAY_URL;
if (!telecine) {
  console.error("set GATEWAY_URL to the gateway's address, e.g. http://127.0.0.1:8000");
  process.exit(1);
}
// A secret of its own at each start, as the users are: set APP_SECRET when you give Better Auth a database.
const secret = process.env.APP_SECRET ?? randomBytes(32).toString("hex");

webApp({ url, telecine, secret }).listen(port, "127.0.0.1", () => console.log(`the web app is at ${url}`));
