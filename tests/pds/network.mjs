// The reference server of Bluesky's network and its directory, on this machine, with one account.

import { TestNetworkNoAppView } from "@atproto/dev-env";

const PASSWORD = "a long one";

/** Starts both. The answers that pass can be lost or refused one at a time, and all of them are noted. */
export async function start() {
  const network = await TestNetworkNoAppView.create({});
  const pds = network.pds;
  const answers = [];
  // What becomes of the next call whose path ends so.
  const inTheWay = new Map();
  pds.server.server.prependListener("request", (request, response) => {
    const path = new URL(request.url, pds.url).pathname;
    const name = path.slice(path.lastIndexOf("/") + 1);
    response.on("finish", () => answers.push({ name, status: response.statusCode }));
    const what = inTheWay.get(name);
    inTheWay.delete(name);
    if (what === "lost") {
      // It is carried out, and nobody hears of it.
      response.end = () => {
        answers.push({ name, status: "lost" });
        request.socket.destroy();
        return response;
      };
    } else if (what === "token refused") {
      refuse(request, response);
    }
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

/** As the server itself refuses a token whose time is over (RFC 9449, section 7.1), before it looks at anything else. */
function refuse(request, response) {
  const handlers = request.socket.server.listeners("request");
  response.writeHead(401, { "content-type": "application/json", "www-authenticate": 'DPoP error="invalid_token"' });
  response.end(JSON.stringify({ error: "invalid_token", message: '"exp" claim timestamp check failed' }));
  // Nothing is left to answer for those that come after.
  response.writeHead = () => response;
  response.end = () => response;
  void handlers;
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

/** Signs in on the page of a consent and allows it, by the calls that the page makes. Answers where the browser goes from there. */
async function consent(origin, page, username, did) {
  const jar = new Map();
  const keep = (answer) => {
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(";")[0].split("=");
      jar.set(name, value);
    }
    return answer;
  };
  const cookies = () => [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const shown = keep(await fetch(page, { headers: { ...navigation, "sec-fetch-site": "cross-site" } }));
  if (!shown.ok) throw new Error(`the page of the consent: ${shown.status} ${(await shown.text()).slice(0, 500)}`);
  const call = async (name, body) => {
    const headers = {
      "content-type": "application/json",
      "sec-fetch-mode": "same-origin",
      "sec-fetch-site": "same-origin",
      "sec-fetch-dest": "empty",
      "x-csrf-token": jar.get("csrf-token") ?? "",
      origin,
      referer: page,
      cookie: cookies(),
      ...body.headers,
    };
    const url = `${origin}/@atproto/oauth-provider/~api/${name}`;
    const answer = keep(await fetch(url, { method: "POST", headers, body: JSON.stringify(body.json) }));
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  };
  const signedIn = await call("sign-in", { json: { locale: "en", username, password: PASSWORD, remember: false } });
  const headers = { authorization: `Bearer ${signedIn.ephemeralToken}` };
  const { url } = await call("consent", { json: { did }, headers });
  const back = await fetch(url, {
    redirect: "manual",
    headers: { ...navigation, "sec-fetch-site": "same-origin", referer: page, cookie: cookies() },
  });
  return back.headers.get("location");
}
