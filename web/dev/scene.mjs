/** What the fake box holds at the start: enough of everything to look at each page. */
import { onion } from "./onions.mjs";

const HOUR = 3600;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;

/** @param {number} now Unix seconds */
export function scene(now) {
  return {
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
  row("circuit_requests", 60, "", "Requests a second on one circuit, after a burst of four times."),
  row("idle_seconds", 60, "seconds", "An idle connection is closed after this."),
];

/** @param {string} name @param {unknown} value @param {string} unit @param {string} doc @param {boolean} live */
function row(name, value, unit, doc, live = true) {
  return { name, value, default: value, unit, doc, live, choices: null };
}
