// Times @hapi/iron 7 and iron-session 9: one JSON document a line on standard input and on standard output.
//
//   node node.mjs <folder whose node_modules holds them>
//   -> {"job": "iron-session-9 seal", "data": {...}, "sealed": "...", "password": "...", "ttl": 900, "calls": 100}
//   <- {"seconds": 0.0123}
//
// Calls are made in sequence, each awaited: what one request waits for. Some go before that are not timed: the process
// has been asleep while others had their turn.

import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { createInterface } from "node:readline";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(resolve(process.argv[2]), "package.json"));
const library = async (name) => import(pathToFileURL(require.resolve(name)));

const Iron = (await library("hapi-iron-7")).default;
const { sealData, unsealData } = await library("iron-session-9");

const WARM_UP = 10;

const jobs = {
  "@hapi/iron 7 seal": ({ data, password, ttl }) =>
    Iron.seal(data, { id: "1", secret: password }, { ...Iron.defaults, ttl: ttl * 1000 }),
  "@hapi/iron 7 unseal": ({ sealed, password }) => Iron.unseal(sealed, { 1: password }, Iron.defaults),
  "iron-session 9 seal": ({ data, password, ttl }) => sealData(data, { password, ttl }),
  "iron-session 9 unseal": ({ sealed, password }) => unsealData(sealed, { password }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  // @hapi/iron knows nothing of iron-session's mark.
  if (asked.job.startsWith("@hapi")) asked.sealed = asked.sealed.split("~")[0];
  const run = jobs[asked.job];
  let last;
  for (let call = 0; call < WARM_UP; call++) await run(asked);
  const start = process.hrtime.bigint();
  for (let call = 0; call < asked.calls; call++) last = await run(asked);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const fine = asked.job.endsWith("unseal") ? isDeepStrictEqual({ ...last }, asked.data) : last.startsWith("Fe26.2*1*");
  if (!fine) throw new Error(`${asked.job} did not do its job`);
  process.stdout.write(`${JSON.stringify({ seconds })}\n`);
}
