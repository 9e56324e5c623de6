// The reference server of Bluesky's network and its directory, on this machine, with one account.

import { request } from "node:http";
import { TestNetworkNoAppView } from "@atproto/dev-env";

const PASSWORD = "a long one";

/** Starts both. The answers that pass can be lost or refused one at a time, and all of them are noted. */
export async function start() {
  const network = await TestNetworkNoAppView.create({});
  const pds = network.pds;
  const answers = [];
  // What becomes of the next call whose path ends so.
  const inTheWay = new Map();
  const handlers = pds.server.server.listeners("request");
  pds.server.server.removeAllListeners("request");
  pds.server.server.on("request", (request, response) => {
    const path = new URL(request.url, pds.url).pathname;
    const name = path.slice(path.lastIndexOf("/") + 1);
    response.on("finish", () => answers.push({ name, status: response.statusCode }));
    const what = inTheWay.get(name);
    inTheWay.delete(name);
    if (what === "token refused") return refuse(response);
    if (what === "lost") {
      // It is carried out, and nobody hears of it.
      response.end = () => {
        answers.push({ name, status: "lost" });
        request.socket.destroy();
        return response;
      };
    }
    for (const handle of handlers) handle(request, response);
  });
  const handle = "alice.test";
  const account = await post(pds.url, "com.atproto.server.createAccount", { email: "alice@example.com", handle, password: PASSWORD });
  return {
    pds: pds.url,
    directory: network.plc.url,
    handle,
    did: account.did,
    answers,
    lose: (name) => inTheWay.set(name, "lost"),
    refuseToken: (name) => inTheWay.set(name, "token refused"),
    consent: (page) => consent(pds.url, page, handle, account.did),
    records: () => records(pds.url, account.did),
    sessions: () => pds.ctx.accountManager.db.db.selectFrom("token").selectAll().execute(),
    stop: () => network.close(),
  };
}

/** As the server itself refuses a token whose time is over (RFC 9449, section 7.1): the call does not reach it. */
function refuse(response) {
  const body = JSON.stringify({ error: "invalid_token", message: '"exp" claim timestamp check failed' });
  response.writeHead(401, { "content-type": "application/json", "www-authenticate": 'DPoP error="invalid_token"' });
  response.end(body);
}

async function post(url, method, body) {
  const answer = await fetch(`${url}/xrpc/${method}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function records(url, did) {
  const query = new URLSearchParams({ repo: did, collection: "app.bsky.feed.post" });
  const answer = await fetch(`${url}/xrpc/com.atproto.repo.listRecords?${query}`);
  return (await answer.json()).records;
}

/** A request as a browser makes it: `fetch` would say of itself that no page navigates. */
function browse(url, { method = "GET", headers, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Signs in on the page of a consent and allows it, by the calls that the page makes. Answers where the browser goes from there. */
async function consent(origin, page, username, did) {
  const jar = new Map();
  const keep = (answer) => {
    for (const cookie of answer.headers["set-cookie"] ?? []) {
      const [name, value] = cookie.split(";")[0].split("=");
      jar.set(name, value);
    }
    return answer;
  };
  const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const shown = keep(await browse(page, { headers: { ...navigation, "sec-fetch-site": "cross-site" } }));
  if (shown.status !== 200) throw new Error(`the page of the consent: ${shown.status} ${shown.text.match(/error_description[^}]*/)}`);
  const call = async (name, json, authorization) => {
    const headers = {
      "content-type": "application/json",
      "sec-fetch-mode": "same-origin",
      "sec-fetch-site": "same-origin",
      "sec-fetch-dest": "empty",
      "x-csrf-token": jar.get("csrf-token") ?? "",
      origin,
      referer: page,
      cookie: cookie(),
      ...authorization,
    };
    const url = `${origin}/@atproto/oauth-provider/~api/${name}`;
    const answer = keep(await browse(url, { method: "POST", headers, body: JSON.stringify(json) }));
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const { ephemeralToken } = await call("sign-in", { locale: "en", username, password: PASSWORD, remember: false });
  const { url } = await call("consent", { did }, { authorization: `Bearer ${ephemeralToken}` });
  const headers = { ...navigation, "sec-fetch-site": "same-origin", referer: page, cookie: cookie() };
  const back = await browse(url, { headers });
  if (!back.headers.location) throw new Error(`back from the consent: ${back.status} ${back.text.slice(0, 300)}`);
  return back.headers.location;
}
