// Every JavaScript implementation of the sealed session, behind one line protocol.
//
//   node peers.mjs          one JSON document a line on standard input and on standard output
//   -> {"id": 1, "calls": [{"call": "seal", "peer": "iron-session-9", ...}, ...]}
//   <- {"id": 1, "answers": [{"ok": true, "value": ...} | {"ok": false, "error": {"name", "message"}}, ...]}
//
// Session data travels as JSON *text* inside the line, so that neither side's own reading of the line can round a
// number or reorder a key before the library under test has seen it. Lines are ASCII: a lone surrogate has no UTF-8.

import { IncomingMessage, ServerResponse, createServer } from "node:http";
import { Socket } from "node:net";
import { createInterface } from "node:readline";

const SECOND = 1000;

const loaders = {
  "hapi-iron-7": () => import("hapi-iron-7"),
  "iron-webcrypto-1": () => import("iron-webcrypto-1"),
  "iron-webcrypto-2": () => import("iron-webcrypto-2"),
  "iron-session-6": () => import("iron-session-6"),
  "iron-session-8": () => import("iron-session-8"),
  "iron-session-9": () => import("iron-session-9"),
  "iron-store-1": () => import("iron-store-1"),
  "next-iron-session-4": () => import("next-iron-session-4"),
};

// CommonJS packages arrive under `default`, some of them twice when a compiler made them.
async function library(name) {
  if (!Object.hasOwn(loaders, name)) throw new RangeError(`no peer is called ${name}`);
  const module = await loaders[name]();
  return module.default?.default ? module.default : module;
}

// ---- time: the libraries ask Date.now(), and nothing else, what the time is ----

const realNow = Date.now;
let clock = null; // milliseconds, or null for the real time
Date.now = () => clock ?? realNow();

// ---- values that JSON cannot carry ----

// {"$hex": "00ff"} anywhere in a password is a raw key.
function passwordOf(value) {
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$hex === "string") return Buffer.from(value.$hex, "hex");
  if (Array.isArray(value)) return value.map(passwordOf);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, passwordOf(part)]));
}

// JSON.parse makes an infinity of 1e400, which JSON.stringify would hide behind null, and reads any depth, at which
// JSON.stringify runs out of stack.
function textOf(data) {
  try {
    return JSON.stringify(data, (_, value) =>
      value === Infinity || value === -Infinity ? { $number: String(value) } : value,
    );
  } catch (error) {
    if (error instanceof RangeError) return '{"$deep":true}';
    throw error;
  }
}

function ascii(text) {
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// ---- seals ----

function ironOptions(iron, { ttl = 0, algorithm, iterations, skew, parts }) {
  const { encryption, integrity, ...rest } = iron.defaults;
  const options = {
    ...rest,
    encryption: { ...encryption, iterations: iterations?.encryption ?? 1, algorithm: algorithm ?? "aes-256-cbc" },
    integrity: { ...integrity, iterations: iterations?.integrity ?? 1 },
    ttl: ttl * SECOND,
  };
  if (skew !== undefined) options.timestampSkewSec = skew;
  if (parts !== undefined) {
    // Undocumented in all three, honoured by all three: what makes a seal repeatable.
    options.encryption = { ...options.encryption, salt: parts.encryptionSalt, iv: Buffer.from(parts.iv, "hex") };
    options.integrity = { ...options.integrity, salt: parts.integritySalt };
  }
  return options;
}

// iron-webcrypto 1 takes the crypto object as its first argument; the others find it themselves.
const first = { "iron-webcrypto-1": [globalThis.crypto] };

const isIron = (peer) => peer === "hapi-iron-7" || peer.startsWith("iron-webcrypto-");

async function seal({ peer, data, password, ttl, ...options }) {
  const name = await library(peer);
  const value = JSON.parse(data);
  if (isIron(peer)) {
    const iron = name.default ?? name;
    return iron.seal(...(first[peer] ?? []), value, passwordOf(password), ironOptions(iron, { ttl, ...options }));
  }
  if (peer === "iron-store-1") {
    const store = await name.default({ password, ttl: (ttl ?? 0) * SECOND });
    for (const [key, part] of Object.entries(value)) store.set(key, part);
    for (const [key, part] of Object.entries(JSON.parse(options.flash ?? "{}"))) store.setFlash(key, part);
    return store.seal();
  }
  return name.sealData(value, { password, ...(ttl === undefined ? {} : { ttl }) });
}

async function unseal({ peer, seal: sealed, password, ...options }) {
  const name = await library(peer);
  if (isIron(peer)) {
    const iron = name.default ?? name;
    return textOf(await iron.unseal(...(first[peer] ?? []), sealed, passwordOf(password), ironOptions(iron, options)));
  }
  if (peer === "iron-store-1") return textOf((await name.default({ sealed, password })).get());
  const reasons = [];
  const data = await name.unsealData(sealed, { password, onUnsealError: (reason) => reasons.push(reason) });
  if (reasons.length > 0) throw Object.assign(new Error(reasons.join(" ")), { name: "Unreadable" });
  return textOf(data);
}

// ---- sessions ----

// One HTTP exchange as the library sees it: what it found, and the Set-Cookie lines that it sends after `steps`,
// each of them ["set", name, JSON text], ["unset", name], ["save"] or ["destroy"].
async function visit({ peer, cookie, options, steps = [] }) {
  const request = new IncomingMessage(new Socket());
  if (cookie !== undefined && cookie !== null) request.headers.cookie = cookie;
  const response = new ServerResponse(request);
  const reasons = [];
  const session = await open(peer, request, response, { ...options, onUnsealError: (reason) => reasons.push(reason) });
  const found = textOf(session.all());
  for (const [verb, ...rest] of steps) await session[verb](...rest);
  return { found, setCookie: [response.getHeader("set-cookie") ?? []].flat(), reasons };
}

async function open(peer, request, response, options) {
  const name = await library(peer);
  if (peer === "next-iron-session-4") {
    await name.applySession(request, response, options);
    const session = request.session;
    return {
      all: () => session.get(),
      set: (key, text) => session.set(key, JSON.parse(text)),
      unset: (key) => session.unset(key),
      save: () => session.save(),
      destroy: () => session.destroy(),
    };
  }
  const session = await name.getIronSession(request, response, options);
  return {
    all: () => session,
    set: (key, text) => (session[key] = JSON.parse(text)),
    unset: (key) => delete session[key],
    save: () => session.save(),
    destroy: () => session.destroy(),
  };
}

// ---- a site: the same four pages that the Python side of the live test serves ----

const sites = new Map();

async function listen({ peer, options }) {
  const server = createServer((request, response) => {
    page(peer, options, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(`${error.name}: ${error.message}`);
    });
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  sites.set(port, server);
  return port;
}

async function page(peer, options, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const session = await open(peer, request, response, options);
  const route = `${request.method} ${request.url}`;
  if (route === "POST /change") {
    for (const [key, part] of Object.entries(JSON.parse(Buffer.concat(chunks).toString() || "{}"))) {
      if (part === null) session.unset(key);
      else session.set(key, JSON.stringify(part));
    }
    await session.save();
  } else if (route === "POST /logout") {
    session.destroy();
  } else if (route !== "GET /") {
    response.statusCode = 404;
  }
  response.setHeader("content-type", "application/json");
  response.end(ascii(textOf(session.all())));
}

function close({ port }) {
  const server = sites.get(port);
  sites.delete(port);
  server.close();
  server.closeAllConnections();
}

// ---- the line protocol ----

const calls = {
  seal,
  unseal,
  visit,
  listen,
  close,
  // Sets the time for everything that follows, a listening site included.
  clock: ({ at }) => {
    clock = at;
  },
  facts: () => ({
    node: process.versions.node,
    // iron-webcrypto 2 reads base64url with this where the platform has it, and more loosely where it has not.
    fromBase64: typeof Uint8Array.fromBase64 === "function",
  }),
};

async function answer({ call, now, ...rest }) {
  const standing = clock;
  if (now !== undefined) clock = now;
  try {
    if (!Object.hasOwn(calls, call)) throw new RangeError(`no call is named ${call}`);
    return { ok: true, value: (await calls[call](rest)) ?? null };
  } catch (error) {
    return { ok: false, error: { name: error.name ?? "Error", message: String(error.message ?? error) } };
  } finally {
    if (now !== undefined) clock = standing;
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { id, calls: asked } = JSON.parse(line);
  const answers = [];
  for (const one of asked) answers.push(await answer(one)); // in turn: the clock is one for the process
  process.stdout.write(`${ascii(JSON.stringify({ id, answers }))}\n`);
}
process.exit(0); // a site that is still listening must not outlive its caller
