/**
 * A fake box that answers the owner's API from memory: to look at the pages while one works on them, and for the
 * tests of the pages. It seals nothing and reaches nobody; the real box is tested by e2e/desk.mjs.
 */
import { onion } from "./onions.mjs";
import { order } from "./order.mjs";
import { grant, scene, SETTINGS } from "./scene.mjs";

const REFUSALS = /** @type {Record<string, [number, string]>} */ ({
  malformed: [400, "The request could not be read."],
  not_found: [404, "There is nothing here."],
  sign_in: [401, "Sign in first."],
});

class Refused extends Error {
  /** @param {string} code @param {object} details */
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/**
 * @typedef {{method: string, path: string, query: URLSearchParams, body: any, raw: Uint8Array}} Asked
 * @typedef {{status: number, type: string, body: string | Uint8Array}} Answer
 */

/** One fake box; `options` set where it begins. */
export class FakeBox {
  /** @param {{claimed?: boolean, signedIn?: boolean, locked?: boolean, relayOnly?: boolean, empty?: boolean, now?: number}} options */
  constructor(options = {}) {
    this.now = () => options.now ?? Math.floor(Date.now() / 1000);
    const full = scene(this.now());
    this.claimed = options.claimed ?? true;
    this.signedIn = options.signedIn ?? true;
    this.locked = options.locked ?? false;
    this.relayOnly = options.relayOnly ?? false;
    this.protected = false;
    this.address = onion(1);
    this.data = options.empty ? { ...full, grants: [], relays: [], days: [] } : full;
    this.settings = structuredClone(SETTINGS);
    this.restart = false;
    this.tor = {
      phase: "reachable",
      percent: 100,
      words: "Your box can be reached.",
      version: "0.4.9.11",
      source: "system",
      age_days: 40,
      outdated: false,
      skew_seconds: null,
      problem: null,
    };
    this.revision = 1;
    /** @type {Set<() => void>} */
    this.waiters = new Set();
    this.next = 1;
    this.order = order(this);
    this.forgotten = {
      ...{ second: 0, milliseconds: 0, pages: 0, gaps: 0, blanked: false },
      coarsened: /** @type {Record<string, number>} */ ({}),
    };
    this.branding = {
      ...{ revision: "look-1", box_name: "Harbour", welcome: "", policy: "", accent: "sea" },
      ...{ registration: "invite", boards: true, channels: true },
    };
  }

  /** Something changed: whoever waits is answered. */
  changed() {
    this.revision += 1;
    for (const wake of this.waiters) wake();
    this.waiters.clear();
  }

  /** Tor starts as on a first day, in steps.
   * @param {number} pause milliseconds for each */
  async bootstrap(pause) {
    const steps = /** @type {[string, number, string][]} */ ([
      ["starting", 0, "Tor is starting."],
      ["bootstrapping", 10, "Connecting to a relay."],
      ["bootstrapping", 45, "Asking for the directory of relays."],
      ["bootstrapping", 80, "Building the first circuits."],
      ["publishing", 100, "Telling the directory where your box is."],
      ["reachable", 100, "Your box can be reached."],
    ]);
    for (const [phase, percent, words] of steps) {
      this.tor = { ...this.tor, phase, percent, words };
      this.changed();
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  /** @param {Asked} asked @returns {Promise<Answer>} */
  async answer(asked) {
    try {
      const value = await this.#route(asked);
      if (value instanceof Uint8Array) return { status: 200, type: "application/octet-stream", body: value };
      return { status: 200, type: "application/json", body: JSON.stringify(value ?? {}) };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const [status, message] = REFUSALS[error.code] ?? [400, error.code];
      const body = JSON.stringify({ error: { code: error.code, message, details: error.details } });
      return { status, type: "application/json", body };
    }
  }

  /** @param {Asked} asked */
  async #route(asked) {
    const parts = asked.path.split("/").slice(2).map(decodeURIComponent);
    const what = `${asked.method} ${parts[0]}`;
    if (what === "GET state") return this.#state(asked.query.get("after"));
    if (what === "GET branding") return this.branding;
    if (!this.signedIn) throw new Refused("sign_in");
    const owner = /** @type {Record<string, (asked: Asked, rest: string[]) => unknown>} */ ({
      ...this.#owner,
      ...this.order,
    });
    const handler = owner[what];
    if (!handler) throw new Refused("not_found");
    const value = handler.call(this, asked, parts.slice(1));
    if (asked.method !== "GET") this.changed();
    return value;
  }

  /** @param {string | null} after */
  async #state(after) {
    if (after !== null && Number(after) >= this.revision) {
      await new Promise((done) => {
        const timer = setTimeout(done, 25_000);
        this.waiters.add(() => (clearTimeout(timer), done(undefined)));
      });
    }
    const { days } = this.data;
    const held = days.reduce((sum, day) => sum + day.envelopes, 0);
    const owner = this.signedIn && this.claimed;
    return {
      revision: this.revision,
      version: "0.1.0",
      time: this.now(),
      claimed: this.claimed,
      locked: this.locked,
      signed_in: owner,
      relay_only: this.relayOnly,
      address: this.address,
      tor: this.tor,
      protected: owner && this.protected,
      name: owner ? "ada" : "",
      role: owner ? "owner" : null,
      branding: this.branding.revision,
      relay: owner ? { policy: "invite", held, octets: held * 2022, octets_limit: 2 ** 31 } : null,
    };
  }

  /** Handlers for the signed-in owner, by method and first word of the path. */
  #owner = {
    "GET relay": () => {
      const held = this.data.days.reduce((sum, day) => sum + day.envelopes, 0);
      return {
        policy: "invite",
        held,
        octets: held * 2022,
        octets_limit: 2 ** 31,
        disk_free: 41 * 2 ** 30,
        mailboxes: 11,
        days: this.data.days,
        grants: this.data.grants,
      };
    },
    "POST relay": (/** @type {Asked} */ { body }) => {
      const made = grant(`g-new-${this.next++}`, body.label, "owner", this.now(), {
        octets_limit: body.octets,
      });
      this.data.grants = [...this.data.grants, made];
      return { id: made.id, code: `${this.address}/${onion(this.next + 40).slice(0, 51)}a` };
    },
    "DELETE relay": (/** @type {Asked} */ _asked, /** @type {string[]} */ [, id]) => {
      this.data.grants = this.data.grants.filter((one) => one.id !== id);
    },
    "GET relays": () => ({ relays: this.data.relays }),
    "POST relays": (/** @type {Asked} */ { body }) => {
      const made = {
        address: body.code.split("/")[0],
        state: "joining",
        words: "Asking it for mailboxes.",
        mailboxes: 0,
        last_collected: 0,
      };
      this.data.relays = [...this.data.relays, made];
      return made;
    },
    "DELETE relays": (/** @type {Asked} */ _asked, /** @type {string[]} */ [address]) => {
      this.data.relays = this.data.relays.filter((one) => one.address !== address);
    },
    "GET readers": () => ({ readers: this.data.readers.map((one) => ({ ...one, private_key: null })) }),
    "POST readers": (/** @type {Asked} */ { body }) => {
      const made = {
        name: body.name,
        key: body.key ?? onion(60).slice(0, 52),
        private_key: body.key ? null : onion(61).slice(0, 52),
      };
      this.data.readers = [...this.data.readers, made];
      return made;
    },
    "DELETE readers": (/** @type {Asked} */ _asked, /** @type {string[]} */ [name]) => {
      this.data.readers = this.data.readers.filter((one) => one.name !== name);
    },
    "GET reader-keys": () => ({ addresses: this.data.readerKeys }),
    "POST reader-keys": (/** @type {Asked} */ { body }) => {
      this.data.readerKeys = [...this.data.readerKeys, body.address];
      return { addresses: this.data.readerKeys };
    },
    "DELETE reader-keys": (/** @type {Asked} */ _asked, /** @type {string[]} */ [address]) => {
      this.data.readerKeys = this.data.readerKeys.filter((one) => one !== address);
    },
    "PATCH branding": (/** @type {Asked} */ { body }) => {
      this.branding = { ...this.branding, ...body, revision: `look-${++this.next}` };
      return this.branding;
    },
    "GET health": () => ({
      rows: this.data.health,
      uptime_seconds: 93_000,
      memory_octets: 58 * 2 ** 20,
      refusals: { "deposit mailbox_full": 3, "fetch nonce": 1 },
      faults: 0,
      endpoints: ["GET /v1/members", "POST /v1/mailboxes/{id}/envelopes", "GET /v1/health"].map(
        (route, at) => ({
          ...{ route, requests: 1_200 - at * 300, refused: at, faults: 0 },
          ...{ p50_us: 420 + at * 9_000, p95_us: 12_000, p99_us: 1_540_000 },
        }),
      ),
    }),
    "GET minimise": () => this.forgotten,
    "POST minimise": () => {
      const coarsened = { accounts: 3, sessions: 4 };
      this.forgotten = {
        second: this.now(),
        milliseconds: 84,
        coarsened,
        pages: 12,
        gaps: 30,
        blanked: true,
      };
      return this.forgotten;
    },
    "GET settings": () => ({ settings: this.settings, restart: this.restart }),
    "PATCH settings": (/** @type {Asked} */ { body }) => {
      for (const row of this.settings) {
        if (!(row.name in body.values)) continue;
        row.value = body.values[row.name] ?? row.default;
        if (!row.live) this.restart = true;
      }
      return { settings: this.settings, restart: this.restart };
    },
  };
}
