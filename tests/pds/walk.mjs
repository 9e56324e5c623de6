// Walks the local service through the reference server of Bluesky's network, as a person goes through it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./network.mjs";

const PHONE = "+61412345678";
/** Beyond the time in which nothing of a lost send can still be under way. Both servers bear a clock that is two minutes ahead. */
const SETTLED_SECS = 105;

const began = Date.now();
const say = (what) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${what}`);

const network = await start();
say(`the server is at ${network.pds}, its directory at ${network.directory}`);
const data = await mkdtemp(join(tmpdir(), "pds-"));
const service = await serve(process.argv[2]);
try {
  await walk(await person());
} finally {
  service.process.kill("SIGINT");
  await network.stop();
  await rm(data, { recursive: true, force: true });
}
say("every promise was kept");
process.exit(0);

async function walk(ada) {
  // A handle that nobody has is told before a browser is sent anywhere.
  const nobody = await ada.get("/oauth/bluesky/start?handle=nobody.test");
  assert.equal(nobody.status, 422, await nobody.text());
  say("a handle that resolves to nothing is refused");

  const started = await ada.get(`/oauth/bluesky/start?handle=${network.handle}`);
  assert.equal(started.status, 303, await started.text());
  const page = started.headers.get("location");
  assert.ok(page.startsWith(`${network.pds}/oauth/authorize`), page);
  assert.ok(network.answers.some(({ name, status }) => name === "par" && status === 201), "the consent was announced");
  say("handle, DID, server and its endpoints are found, and the consent is announced");

  const back = await network.consent(page);
  const ended = await ada.get(back);
  const left = new URL(ended.headers.get("location"), service.url);
  assert.ok(left.searchParams.has("connected"), left.href);
  const connection = (await ada.json("GET", "/api/connections")).items.find(({ platform }) => platform === "bluesky");
  assert.equal(connection.username, network.handle);
  say(`the account is connected: ${connection.username}`);

  const text = "Fresh bread at https://example.com/bread for @alice.test #sourdough 🥖";
  const post = await ada.publish(text, connection);
  assert.equal((await ada.until(post, "published")).status, "published");
  const [record] = await network.records();
  assert.equal(record.value.text, text);
  const features = record.value.facets.flatMap(({ features }) => features.map(({ $type }) => $type.split("#")[1]));
  assert.deepEqual(features.sort(), ["link", "mention", "tag"]);
  say(`a post is there, with ${features.length} facets: ${record.uri}`);

  network.lose("com.atproto.repo.putRecord");
  const lost = await ada.publish("The answer to this one is lost", connection);
  assert.equal((await ada.until(lost, "unknown")).status, "unknown");
  await ada.advance(SETTLED_SECS);
  assert.equal((await ada.until(lost, "published")).status, "published");
  const puts = network.answers.filter(({ name }) => name === "com.atproto.repo.putRecord").map(({ status }) => status);
  const shown = (await network.records()).filter(({ value }) => value.text === "The answer to this one is lost");
  assert.equal(shown.length, 1);
  say(`a lost answer: putRecord answered ${puts.slice(1).join(", ")}, and one record is there`);

  network.refuseToken("com.atproto.repo.putRecord");
  const renewed = await ada.publish("The token of this one is refused", connection);
  assert.equal((await ada.until(renewed, "published")).status, "published");
  const tokens = network.answers.filter(({ name }) => name === "token").map(({ status }) => status);
  assert.ok(tokens.filter((status) => status === 200).length >= 2, `the token endpoint answered ${tokens.join(", ")}`);
  assert.equal((await network.records()).length, 3);
  say(`tokens are renewed: the token endpoint answered ${tokens.join(", ")}`);

  assert.equal((await network.sessions()).length, 1);
  await ada.json("DELETE", `/api/connections/${connection.id}`);
  assert.equal((await network.sessions()).length, 0);
  say("the account is disconnected, and the server has no session of ours");
}

/** The local service with an empty folder, on a free port. */
async function serve(binary) {
  const addresses = `bluesky.api=${network.pds},bluesky.directory=${network.directory}`;
  const child = spawn(binary, ["--port", "0", "--data", join(data, "data"), "--platform-addresses", addresses]);
  let said = "";
  const found = new Promise((resolve, reject) => {
    const listen = (chunk) => {
      said += chunk;
      const at = said.match(/Postledger is at http:\/\/localhost:(\d+)/);
      // The server sends browsers back to this name of the machine alone (RFC 8252, section 7.3).
      if (at) resolve(`http://127.0.0.1:${at[1]}`);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("exit", () => reject(new Error(`the service has ended: ${said}`)));
  });
  const url = await found;
  say(`the service is at ${url}`);
  return { process: child, url };
}

/** Somebody signed in, with a plan. */
async function person() {
  const api = async (method, path, body, headers = {}) => {
    const options = { method, redirect: "manual", headers: { "content-type": "application/json", ...headers } };
    return fetch(new URL(path, service.url), { ...options, body: body && JSON.stringify(body) });
  };
  await api("POST", "/api/verification-codes", { phone: PHONE });
  const inbox = await (await api("GET", "/_local/inbox")).json();
  const code = inbox.items.find(({ to }) => to === PHONE).text.match(/\b\d{6}\b/)[0];
  const answer = await api("POST", "/api/verify-code", { phone: PHONE, code });
  const signed = { cookie: answer.headers.getSetCookie()[0].split(";")[0], "x-csrf-token": (await answer.json()).csrf_token };
  const json = async (method, path, body) => {
    const answer = await api(method, path, body, signed);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const gift = await json("POST", "/_local/gift-certificates", { plan: "professional" });
  await json("POST", "/api/redeem-gift", { code: gift.code });
  let ahead = 0;
  return {
    json,
    advance: async (seconds) => {
      await json("POST", "/_local/clock", { advance_seconds: seconds });
      ahead += seconds;
    },
    get: (path) => api("GET", path, undefined, signed),
    /** Writes and approves a post that is due in a moment. */
    publish: async (content, connection) => {
      const due = new Date(Date.now() + (ahead + 2) * 1000).toISOString();
      const body = { content, targets: [{ connection_id: connection.id }], scheduled_for: due };
      const [post] = (await json("POST", "/api/posts", body)).items;
      await json("POST", `/api/posts/${post.id}/approve`);
      return post;
    },
    /** The post once it has this status, or as it is when it does not come to it. */
    until: async ({ id }, status) => {
      for (let round = 0; ; round++) {
        const post = await json("GET", `/api/posts/${id}`);
        if (post.status === status || round === 200) return post;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
  };
}
