/** What the fake channels hold: enough to look at every kind and state of message, and at every state of a channel. */
import type { ChannelMessage, Role } from "../src/state/channels/types.ts";
import { file } from "./talk.ts";

/** A message; `by` is its author's name, "-2" as `reply` the one two before it. */
export type Said = Partial<Omit<ChannelMessage, "sent">> & { ago: number; by: string };

export interface Scene {
  title: string;
  topic?: string;
  public?: boolean;
  closed?: boolean;
  role?: Role | null;
  members: readonly (readonly [name: string, role: Role])[];
  alarm?: boolean;
  muted?: boolean;
  unread?: number;
  timer?: number;
  slow?: number;
  giving?: { done: number; total: number };
  draft?: string;
  lines?: readonly Said[];
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const WATCH = [
  ["marta", "Two boats out, both back before the fog."],
  ["jonas", "I have the lantern until six."],
  ["ada", "Good. I take over then."],
  ["marta", "The tide table on the wall is last year's."],
  ["noura", "I shall print a new one."],
  ["ada", "Thank you! Large letters, please."],
] as const;

/** A long history: back to last spring. */
export function watches(lines: number): Said[] {
  return Array.from({ length: lines }, (_, at) => {
    const [by, text] = WATCH[at % WATCH.length]!;
    return { ago: 2 * DAY + (lines - at) * 41 * MINUTE, by, text };
  });
}

const harbour = (now: number): Said[] => [
  { ago: 40 * DAY, by: "ada", change: { what: "create" } },
  ...watches(300),
  { ago: 1.9 * DAY, by: "ada", change: { what: "add", whom: "leo", role: "member" } },
  { ago: 1.8 * DAY, by: "marta", text: "Welcome @leo! The list of watches is pinned above." },
  {
    ago: 1.79 * DAY,
    by: "leo",
    text: "Thank you. Is there a spare lantern?",
    reactions: [{ emoji: "👋", names: ["marta", "jonas"], mine: false }],
  },
  {
    ago: 1.78 * DAY,
    by: "jonas",
    text: "In the shed, left of the door.",
    reply: "-1",
    reactions: [
      { emoji: "👍", names: ["leo", "ada"], mine: true },
      { emoji: "🔦", names: ["marta"], mine: false },
    ],
  },
  {
    ago: 1.5 * DAY,
    by: "marta",
    text: "Watches this week:\nMonday Jonas, Tuesday Ada, Wednesday Leo, Thursday me.",
    pinned: true,
    edited: true,
  },
  { ago: 1.2 * DAY, by: "marta", change: { what: "role", whom: "jonas", role: "moderator" } },
  {
    ago: 1.1 * DAY,
    by: "noura",
    kind: "attachment",
    text: "From the jetty",
    attachment: file("jetty.jpg", "image/jpeg", 482_113),
  },
  { ago: DAY, by: "spammer", left: true, deleted: "moderator" },
  { ago: DAY - MINUTE, by: "jonas", change: { what: "remove", whom: "spammer" } },
  { ago: 8 * HOUR, by: "ada", change: { what: "timer", seconds: 7 * 86_400 } },
  { ago: 7 * HOUR, by: "noura", unreadable: "waits", kind: "unknown" },
  { ago: 6.9 * HOUR, by: "noura", unreadable: "newer", kind: "unknown" },
  { ago: 6 * HOUR, by: "leo", deleted: "author" },
  { ago: 5 * HOUR, by: "ada", text: "I shall be late tonight.", state: "posted", expires: now + 6 * DAY },
  {
    ago: 4.9 * HOUR,
    by: "ada",
    text: "Half past seven, not seven.",
    state: "posted",
    expires: now + 6 * DAY,
  },
  { ago: 3 * HOUR, by: "marta", text: "Then I keep the lantern until you come." },
  {
    ago: 2.9 * HOUR,
    by: "marta",
    text: "@ada could you bring the new tide table?",
    mentions: ["ada"],
    mentionsMe: true,
  },
  { ago: 2 * HOUR, by: "jonas", text: "The fog is coming in. 🌊" },
  { ago: 9 * MINUTE, by: "ada", text: "On my way.", state: "sealed", expires: now + 7 * DAY },
  { ago: 8 * MINUTE, by: "ada", text: "With the table under my arm.", state: "failed", problem: "too_fast" },
];

export const MINE = (now: number): Scene[] => [
  {
    title: "Harbour watch",
    topic: "Who has the lantern, and what the sea does",
    role: "owner",
    unread: 3,
    timer: 7 * 86_400,
    members: [
      ["ada", "owner"],
      ["jonas", "moderator"],
      ["leo", "member"],
      ["marta", "member"],
      ["noura", "member"],
    ],
    lines: harbour(now),
  },
  {
    title: "Ferry talk",
    topic: "Departures, delays, lost umbrellas",
    public: true,
    role: "member",
    muted: true,
    unread: 12,
    slow: 60,
    members: [
      ["ferry.office", "owner"],
      ["ada", "member"],
      ["marta", "member"],
    ],
    lines: [
      { ago: 3 * DAY, by: "ada", change: { what: "join" } },
      { ago: 5 * HOUR, by: "ferry.office", text: "The 16:10 leaves at 16:40 today." },
    ],
  },
  {
    title: "سوق السمك",
    topic: "",
    role: "moderator",
    draft: "When does it open?",
    members: [
      ["noura", "owner"],
      ["ada", "moderator"],
    ],
    lines: [{ ago: 26 * HOUR, by: "noura", text: "يفتح السوق في الساعة السابعة صباحا." }],
  },
  {
    title: "The whole island",
    topic: "Everybody, about everything",
    role: "member",
    members: Array.from(
      { length: 260 },
      (_, at) => [at === 7 ? "ada" : `islander${at}`, at < 2 ? "owner" : "member"] as const,
    ),
    giving: { done: 37, total: 400 },
    lines: [{ ago: 27 * HOUR, by: "islander1", text: "Anybody for a walk round the north cape?" }],
  },
  {
    title: "Lighthouse",
    role: "member",
    alarm: true,
    members: [
      ["marta", "owner"],
      ["ada", "member"],
    ],
    lines: [{ ago: 4 * DAY, by: "marta", text: "The bulb is changed." }],
  },
  {
    title: "Regatta 1987 and everything that was said about it since",
    topic: "It rained.",
    public: true,
    closed: true,
    role: "member",
    members: [
      ["jonas", "owner"],
      ["ada", "member"],
    ],
    lines: [
      { ago: 90 * DAY, by: "jonas", text: "Thank you all. It was wet." },
      { ago: 89 * DAY, by: "jonas", change: { what: "close" } },
    ],
  },
  {
    title: "",
    role: "member",
    members: [
      ["marta", "owner"],
      ["ada", "member"],
    ],
  },
];

export const OTHERS: Scene[] = [
  {
    title: "Book swap",
    topic: "Leave one, take one",
    public: true,
    role: null,
    members: [
      ["marta", "owner"],
      ["leo", "member"],
    ],
    lines: [{ ago: 9 * HOUR, by: "leo", text: "Who has the second volume?" }],
  },
  { title: "Weather", public: true, role: null, members: [["jonas", "owner"]] },
];
