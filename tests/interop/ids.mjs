// Sites in Node whose sessions are records in Redis: express-session under express, and next-session.
//
//   node ids.mjs            the line protocol of peers.mjs
//
// Every site has the pages that the Python side of the live test serves: GET / shows the session, POST /change sets
// and removes values, POST /logout ends it, POST /regenerate gives it another id, POST /lifetime another lifetime, and
// GET /cookie shows what it says of its cookie.

import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { RedisStore } from "connect-redis";
import signature from "cookie-signature";
import express from "express";
import expressSession from "express-session";
import nextSession from "next-session";
import { promisifyStore } from "next-session/lib/compat";
import { createClient } from "redis";

// ---- time: the libraries ask Date.now() and new Date(), and the first is what they reckon with ----

const realNow = Date.now;
let clock = null; // milliseconds, or null for the real time
Date.now = () => clock ?? realNow();

// ---- the two libraries ----

// As the README of next-session signs ids, with more than one secret.
function coding(secrets) {
  if (!secrets) return {};
  return {
    encode: (id) => `s:${signature.sign(id, secrets[0])}`,
    decode: (text) => {
      if (!text.startsWith("s:")) return null;
      const ids = secrets.map((secret) => signature.unsign(text.slice(2), secret));
      return ids.find((id) => id !== false) ?? null;
    },
  };
}

const sites = {
  express: ({ store, secrets, ...options }) => {
    const app = express();
    app.use(
      expressSession({ store, secret: secrets, resave: false, saveUninitialized: false, ...options }),
    );
    app.use((request, response, next) => {
      page(request, response, {
        session: request.session,
        end: () => called((done) => request.session.destroy(done)),
        regenerate: async () => {
          const kept = shown(request.session);
          await called((done) => request.session.regenerate(done));
          Object.assign(request.session, kept);
          return request.session;
        },
      }).catch(next);
    });
    return app;
  },
  "next-session": ({ store, secrets, ...options }) => {
    const getSession = nextSession({ store: promisifyStore(store), ...coding(secrets), ...options });
    return async (request, response) => {
      try {
        const session = await getSession(request, response);
        await page(request, response, { session, end: () => session.destroy() });
      } catch (error) {
        response.statusCode = 500;
        response.end(`${error.name}: ${error.message}`);
      }
    };
  },
};

const called = (begin) => new Promise((resolve, reject) => begin((error) => (error ? reject(error) : resolve())));

function shown(session) {
  const { cookie, ...data } = JSON.parse(JSON.stringify(session));
  return data;
}

async function page(request, response, { session, end, regenerate }) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const route = `${request.method} ${request.url}`;
  let answer = null;
  if (route === "POST /change") {
    for (const [key, part] of Object.entries(JSON.parse(Buffer.concat(chunks).toString() || "{}"))) {
      if (part === null) delete session[key];
      else session[key] = part;
    }
  } else if (route === "POST /lifetime") {
    session.cookie.maxAge = JSON.parse(Buffer.concat(chunks).toString()).maxAge;
    session.touch(); // next-session reckons the end from it only then
    session.remembered = true; // neither writes a session whose cookie alone has changed
  } else if (route === "POST /logout") {
    await end();
    answer = {};
  } else if (route === "POST /regenerate") {
    session = await regenerate();
  } else if (route === "GET /cookie") {
    answer = JSON.parse(JSON.stringify(session.cookie));
  } else if (route !== "GET /") {
    response.statusCode = 404;
  }
  response.setHeader("content-type", "application/json");
  response.end(ascii(JSON.stringify(answer ?? shown(session))));
}

// ---- the line protocol ----

const listening = new Map();

// A site of `library` over the Redis at `redis`; what else is given are options of the library.
async function listen({ library, redis, ttl, ...options }) {
  const client = createClient({ socket: { host: "127.0.0.1", port: redis, reconnectStrategy: false } });
  client.on("error", () => {}); // it is the request that fails
  await client.connect();
  const store = new RedisStore({ client, ...(ttl === undefined ? {} : { ttl }) });
  const server = createServer(sites[library]({ store, ...options }));
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  listening.set(port, { server, client });
  return port;
}

function close({ port }) {
  const { server, client } = listening.get(port);
  listening.delete(port);
  server.close();
  server.closeAllConnections();
  client.destroy();
}

const calls = {
  listen,
  close,
  // Sets the time for everything that follows.
  clock: ({ at }) => {
    clock = at;
  },
  sign: ({ value, secret }) => `s:${signature.sign(value, secret)}`,
  unsign: ({ value, secret }) => signature.unsign(value.slice(2), secret),
};

async function answer({ call, ...rest }) {
  try {
    if (!Object.hasOwn(calls, call)) throw new RangeError(`no call is named ${call}`);
    return { ok: true, value: (await calls[call](rest)) ?? null };
  } catch (error) {
    return { ok: false, error: { name: error.name ?? "Error", message: String(error.message ?? error) } };
  }
}

function ascii(text) {
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { id, calls: asked } = JSON.parse(line);
  const answers = [];
  for (const one of asked) answers.push(await answer(one));
  process.stdout.write(`${ascii(JSON.stringify({ id, answers }))}\n`);
}
process.exit(0); // a site that is still listening must not outlive its caller
