/** The fake box behind Node's HTTP server. */

/**
 * Answer one request of the owner's API.
 * @param {import("./box.mjs").FakeBox} box
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
export async function serveApi(box, request, response) {
  const url = new URL(request.url ?? "/", "http://box");
  /** @type {Buffer[]} */
  const pieces = [];
  for await (const piece of request) pieces.push(/** @type {Buffer} */ (piece));
  const raw = Buffer.concat(pieces);
  const json = request.headers["content-type"]?.includes("json") && raw.length > 0;
  const answer = await box.answer({
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    body: json ? JSON.parse(raw.toString()) : {},
    raw,
  });
  response.writeHead(answer.status, { "content-type": answer.type, "cache-control": "no-store" });
  response.end(answer.body);
}

/** What the tests and screenshots may ask of the fake box, by the address of the page.
 * @param {URLSearchParams} query */
export function wishes(query) {
  return {
    claimed: !query.has("new"),
    signedIn: !query.has("new") && !query.has("out") && !query.has("locked"),
    locked: query.has("locked"),
    relayOnly: query.has("relay-only"),
    empty: query.has("empty"),
  };
}
