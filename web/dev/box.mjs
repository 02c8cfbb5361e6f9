/**
 * A fake box that answers the owner's API from memory: to look at the pages while one works on them, and for the
 * tests of the pages. It seals nothing and reaches nobody; the real box is tested by e2e/desk.mjs.
 */
import { fakeCard, onion, readFakeCard } from "./onions.mjs";
import { grant, journey, person, scene, SETTINGS, words } from "./scene.mjs";

const REFUSALS = /** @type {Record<string, [number, string]>} */ ({
  malformed: [400, "The request could not be read."],
  not_found: [404, "There is nothing here."],
  wrong_token: [403, "This link is not valid any more."],
  wrong_passphrase: [403, "The passphrase is wrong."],
  weak_passphrase: [400, "The passphrase is too short."],
  sign_in: [401, "Sign in first."],
  bad_card: [400, "This address card cannot be read or is not signed by its owner."],
  no_contact: [404, "There is no such contact."],
  no_item: [404, "There is no such item."],
  offset: [409, "The upload goes on at another place."],
  unreachable: [502, "The other box could not be reached."],
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
    this.token = "first-light";
    this.passphrase = "correct horse battery staple";
    this.claimed = options.claimed ?? true;
    this.signedIn = options.signedIn ?? true;
    this.locked = options.locked ?? false;
    this.relayOnly = options.relayOnly ?? false;
    this.protected = false;
    this.name = "Ada";
    this.address = onion(1);
    this.data = options.empty
      ? { ...full, contacts: [], inbox: [], outbox: [], grants: [], relays: [], days: [] }
      : full;
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
    /** @type {Map<string, number>} */
    this.uploaded = new Map();
    this.next = 1;
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
    if (what === "POST claim") return this.#claim(asked.body);
    if (what === "POST session") return this.#signIn(asked.body.passphrase);
    if (!this.signedIn) throw new Refused("sign_in");
    const owner = /** @type {Record<string, (asked: Asked, rest: string[]) => unknown>} */ (this.#owner);
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
    const { inbox, outbox, days } = this.data;
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
      name: owner ? this.name : "",
      inbox_unseen: owner ? inbox.filter((item) => !item.seen).length : 0,
      outbox_waiting: owner
        ? outbox.filter((item) => !["delivered", "given_up"].includes(item.state)).length
        : 0,
      relay: owner ? { policy: "invite", held, octets: held * 2022, octets_limit: 2 ** 31 } : null,
    };
  }

  /** @param {any} body */
  #claim(body) {
    if (this.claimed || body.token !== this.token) throw new Refused("wrong_token");
    if (body.passphrase.length < 8) throw new Refused("weak_passphrase");
    this.claimed = this.signedIn = true;
    this.name = body.name;
    this.passphrase = body.passphrase;
    this.changed();
    return { name: body.name };
  }

  /** @param {string} passphrase */
  #signIn(passphrase) {
    this.#check(passphrase);
    this.signedIn = true;
    this.locked = false;
    this.changed();
    return {};
  }

  /** @param {string} passphrase */
  #check(passphrase) {
    if (passphrase !== this.passphrase) throw new Refused("wrong_passphrase");
  }

  /** @param {string} text */
  #card(text) {
    const card = readFakeCard(text);
    if (!card) throw new Refused("bad_card");
    const known = this.data.contacts.some((one) => one.address === onion(card.seed));
    return {
      address: onion(card.seed),
      name: card.name,
      fingerprint: words(card.seed),
      relays: 2,
      direct: true,
      own: card.seed === 1,
      known,
      seed: card.seed,
    };
  }

  /** @param {string} id */
  #item(id) {
    const item = this.data.outbox.find((one) => one.id === id);
    if (!item) throw new Refused("no_item");
    return item;
  }

  /** Handlers for the signed-in owner, by method and first word of the path. */
  #owner = {
    "DELETE session": () => void (this.signedIn = false),
    "GET identity": () => ({
      address: this.address,
      name: this.name,
      card: fakeCard(1, this.name),
      fingerprint: words(1),
    }),
    "POST name": (/** @type {Asked} */ { body }) => void (this.name = body.name),
    "POST passphrase": (/** @type {Asked} */ { body }) => {
      this.#check(body.old);
      this.passphrase = body.new;
    },
    "POST protection": (/** @type {Asked} */ { body }) => {
      this.#check(body.passphrase);
      this.protected = body.protect;
    },
    "GET contacts": () => ({ contacts: this.data.contacts }),
    "POST cards": (/** @type {Asked} */ { body }) => {
      const { seed, ...preview } = this.#card(body.text);
      return seed ? preview : preview;
    },
    "POST contacts": (/** @type {Asked} */ { body }, /** @type {string[]} */ [address]) => {
      if (address) {
        const one = this.data.contacts.find((contact) => contact.address === address);
        if (!one) throw new Refused("no_contact");
        one.request = false;
        this.data.inbox = this.data.inbox.map((item) =>
          item.sender === address ? { ...item, contact: true } : item,
        );
        return one;
      }
      if (!body.card) throw new Refused("unreachable");
      const card = this.#card(body.card);
      const added = person(card.seed, body.name ?? card.name, this.now(), { relays: 2 });
      this.data.contacts = [...this.data.contacts.filter((one) => one.address !== added.address), added];
      return added;
    },
    "DELETE contacts": (/** @type {Asked} */ _asked, /** @type {string[]} */ [address]) => {
      this.data.contacts = this.data.contacts.filter((one) => one.address !== address);
    },
    "GET outbox": () => ({ items: this.data.outbox }),
    "POST outbox": (/** @type {Asked} */ { body }, /** @type {string[]} */ [id]) => {
      if (id)
        return void Object.assign(this.#item(id), { state: "trying", words: "Being handed to their box." });
      const to = this.data.contacts.find((one) => one.address === body.contact);
      if (!to) throw new Refused("no_contact");
      const made = journey(`out-new-${this.next++}`, to.address, to.name, this.now(), {
        kind: body.kind,
        name: body.name ?? "",
        size: body.size || (body.text ?? "").length,
        created: this.now(),
        ...(body.kind === "file" ? { state: "uploading", words: "Coming from your browser.", parts: 0 } : {}),
      });
      this.data.outbox = [made, ...this.data.outbox];
      return { id: made.id };
    },
    "PUT outbox": (/** @type {Asked} */ { query, raw }, /** @type {string[]} */ [id]) => {
      const item = this.#item(id ?? "");
      const at = this.uploaded.get(item.id) ?? 0;
      if (Number(query.get("offset")) !== at) throw new Refused("offset", { offset: at });
      const offset = at + raw.length;
      this.uploaded.set(item.id, offset);
      if (offset >= item.size)
        Object.assign(item, {
          state: "sealing",
          words: "Being sealed.",
          parts: Math.ceil(item.size / 16_000),
        });
      return { offset, size: item.size };
    },
    "DELETE outbox": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) => {
      this.data.outbox = this.data.outbox.filter((one) => one.id !== id);
    },
    "GET inbox": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) =>
      id ? new TextEncoder().encode(`The content of ${id}.\n`) : { items: this.data.inbox },
    "POST inbox": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) => {
      this.data.inbox = this.data.inbox.map((item) => (item.id === id ? { ...item, seen: true } : item));
    },
    "DELETE inbox": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) => {
      this.data.inbox = this.data.inbox.filter((one) => one.id !== id);
    },
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
    "GET health": () => ({
      rows: this.data.health,
      uptime_seconds: 93_000,
      memory_octets: 58 * 2 ** 20,
      refusals: { "deposit mailbox_full": 3, "fetch nonce": 1 },
      faults: 0,
    }),
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
