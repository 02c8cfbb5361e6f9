/** What the fake box holds at the start: enough of everything to look at each page. */
import { onion } from "./onions.mjs";

const HOUR = 3600;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;

/** @param {number} now Unix seconds */
export function scene(now) {
  const marta = onion(2);
  const jonas = onion(3);
  const stranger = onion(9);
  return {
    contacts: [
      person(2, "Marta", now - 40 * DAY, { relays: 2 }),
      person(3, "Jonas Lindqvist", now - 9 * DAY, { relays: 0 }),
      person(9, "Ferry office", now - 2 * HOUR, { relays: 1, request: true }),
    ],
    inbox: [
      item("in-1", marta, "Marta", {
        text: "The boat leaves at seven, not at eight.\nBring the warm coat; it is windy out there.",
        received: now - 900,
        seen: false,
      }),
      item("in-2", stranger, "Ferry office", {
        contact: false,
        text: "Your booking for the 28th is confirmed. Please answer with the number of passengers.",
        received: now - 2 * HOUR,
        seen: false,
      }),
      item("in-3", jonas, "Jonas Lindqvist", {
        kind: "file",
        name: "harbour-plan.pdf",
        size: 3_482_113,
        parts: 214,
        parts_here: 214,
        received: now - DAY,
      }),
      item("in-4", marta, "Marta", {
        kind: "file",
        name: "photographs-of-the-lighthouse.zip",
        size: 18 * MIB,
        parts: 1176,
        parts_here: 631,
        complete: false,
        received: now - 300,
        seen: false,
      }),
      item("in-5", jonas, "Jonas Lindqvist", { text: "Thank you!", received: now - 6 * DAY }),
    ],
    outbox: [
      journey("out-1", marta, "Marta", now, {
        kind: "file",
        name: "sea-chart.png",
        size: 4 * MIB,
        state: "at_relays",
        words: "Their box is off. Waiting at 2 relays until 28 November.",
        parts: 261,
        parts_held: 261,
        relays: 2,
        expires: now + 7 * DAY,
        next_try: now + 600,
      }),
      journey("out-2", jonas, "Jonas Lindqvist", now, {
        name: "",
        size: 212,
        state: "waiting",
        words: "Their box is off and they use no relay. Your box keeps trying.",
        parts: 1,
        next_try: now + 240,
      }),
      journey("out-3", jonas, "Jonas Lindqvist", now, {
        kind: "file",
        name: "logbook-1987.pdf",
        size: 9 * MIB,
        state: "trying",
        words: "Being handed to their box.",
        parts: 588,
        parts_direct: 320,
        parts_held: 60,
        relays: 1,
      }),
      journey("out-4", marta, "Marta", now, {
        size: 96,
        state: "delivered",
        words: "It is at their box.",
        parts: 1,
        parts_direct: 1,
        created: now - DAY,
      }),
      journey("out-5", jonas, "Jonas Lindqvist", now, {
        kind: "file",
        name: "old-map.tif",
        size: 30 * MIB,
        state: "given_up",
        words: "Given up after 14 days: their box was never on.",
        parts: 1958,
        created: now - 15 * DAY,
        reason: "unreachable",
      }),
    ],
    grants: [
      grant("g-1", "Marta", "owner", now, { mailboxes: 6, octets: 11 * MIB }),
      grant("g-2", "", "work", now, { mailboxes: 2, octets: 300_000, expires: now + 80 * DAY }),
      grant("g-3", "My own box", "self", now, { mailboxes: 3, octets: 120_000, expires: now + 900 * DAY }),
    ],
    relays: [
      {
        address: onion(20),
        state: "ready",
        words: "Holds your mailboxes.",
        mailboxes: 4,
        last_collected: now - 70,
      },
      {
        address: onion(21),
        state: "unreachable",
        words: "Did not answer since this morning; your box keeps trying.",
        mailboxes: 4,
        last_collected: now - 5 * HOUR,
      },
    ],
    days: [12, 40, 7, 0, 95, 210, 33].map((envelopes, at) => ({
      day: new Date((now + at * DAY) * 1000).toISOString().slice(0, 10),
      envelopes,
      octets: envelopes * 2022,
    })),
    readers: /** @type {{name: string, key: string, private_key: string | null}[]} */ ([]),
    readerKeys: /** @type {string[]} */ ([]),
    health: [
      { name: "Store", state: "good", words: "Commits in 2 ms." },
      { name: "Disk", state: "good", words: "41 GB are free." },
      { name: "Tor", state: "good", words: "Reachable since this morning." },
      { name: "Relays", state: "warning", words: "One of your two relays does not answer." },
      { name: "Sweep", state: "good", words: "Last clean-up 12 seconds ago." },
      { name: "Collector", state: "off", words: "Waits for its next round." },
    ],
  };
}

/** @param {number} seed @param {string} name @param {number} added @param {object} more */
export function person(seed, name, added, more) {
  return {
    address: onion(seed),
    name,
    fingerprint: words(seed),
    request: false,
    relays: 1,
    direct: true,
    added,
    ...more,
  };
}

/** @param {number} seed */
export function words(seed) {
  const list = [
    "amber",
    "birch",
    "coral",
    "drift",
    "ember",
    "fjord",
    "gull",
    "heron",
    "inlet",
    "jetty",
    "kelp",
    "lichen",
  ];
  return Array.from({ length: 6 }, (_, at) => list[(seed * (at + 3) + at * at) % list.length]).join(" ");
}

/** @param {string} id @param {string} sender @param {string} name @param {object} more */
function item(id, sender, name, more) {
  return {
    id,
    sender,
    sender_name: name,
    contact: true,
    kind: "note",
    name: "",
    size: 120,
    parts: 1,
    parts_here: 1,
    complete: true,
    seen: true,
    received: 0,
    text: null,
    ...more,
  };
}

/** @param {string} id @param {string} contact @param {string} name @param {number} now @param {object} more */
export function journey(id, contact, name, now, more) {
  return {
    id,
    contact,
    contact_name: name,
    kind: "note",
    name: "",
    size: 0,
    state: "sealing",
    words: "Being sealed.",
    created: now - 1800,
    horizon: now + 14 * DAY,
    parts: 1,
    parts_direct: 0,
    parts_held: 0,
    relays: 0,
    expires: null,
    next_try: null,
    reason: null,
    ...more,
  };
}

/** @param {string} id @param {string} label @param {string} origin @param {number} now @param {object} more */
export function grant(id, label, origin, now, more) {
  return {
    id,
    label,
    origin,
    mailboxes: 0,
    mailboxes_limit: 64,
    octets: 0,
    octets_limit: 64 * MIB,
    created: now,
    expires: now + 365 * DAY,
    ...more,
  };
}

/** Rows like those of appliance/config.py. */
export const SETTINGS = [
  row("tor", "auto", "", "auto, off, or the path of a tor executable.", false),
  row("bridges", [], "", "Bridge lines, where Tor is blocked.", false),
  row("onion_pow", true, "", "Tor's proof-of-work defence of the onion service.", false),
  row("tor_old_days", 270, "days", "Age at which the Tor in use raises an alarm."),
  {
    ...row(
      "relay_policy",
      "invite",
      "",
      "Who may keep mailboxes here: open (with work), invite, peers, closed.",
    ),
    choices: ["open", "invite", "peers", "closed"],
  },
  row("relay_only", false, "", "No owner's desk beyond the relay; serve envelopes only.", false),
  row("relay_octets", 2048 * MIB, "bytes", "Space for the envelopes of others."),
  row("ttl_default_hours", 168, "hours", "Time to live when the sender names none."),
  row("relays_wanted", 2, "", "At how many relays an envelope is kept when the box is off."),
  row("outbox_horizon_hours", 336, "hours", "After this a delivery is given up."),
  row("inbox_octets", 4096 * MIB, "bytes", "Space for what arrives for this box."),
  row("circuit_requests", 60, "", "Requests a second on one circuit, after a burst of four times."),
  row("idle_seconds", 60, "seconds", "An idle connection is closed after this."),
];

/** @param {string} name @param {unknown} value @param {string} unit @param {string} doc @param {boolean} live */
function row(name, value, unit, doc, live = true) {
  return { name, value, default: value, unit, doc, live, choices: null };
}
