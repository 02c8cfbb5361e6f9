/** What the fake people have written: enough to look at every kind and state of message. */
import type { Message, MessageState } from "../src/state/messenger/types.ts";

export type Line = Partial<Omit<Message, "sent">> & { ago: number; by?: "me" };

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const SMALL_TALK = [
  "Is the kettle on?",
  "Always. The wind has turned, by the way.",
  "North-west now. I brought the nets in.",
  "Good. Did the post boat come?",
  "It came, with your parcel and somebody else's bicycle.",
  "Whose?",
  "Nobody knows. It is a very good bicycle.",
  "We shall keep it dry until somebody misses it.",
  "I counted eleven seals this morning. One of them looked at me as if I owed it money.",
  "You probably do.",
];

/** A long history: two lines an hour, back to last spring. */
export function history(lines: number): Line[] {
  return Array.from({ length: lines }, (_, at) => ({
    ago: 2 * DAY + (lines - at) * 37 * MINUTE,
    ...(at % 2 === 1 ? { by: "me" as const, state: "read" as MessageState } : {}),
    text: SMALL_TALK[at % SMALL_TALK.length]!,
  }));
}

const PEAKS = Uint8Array.from({ length: 48 }, (_, at) => 40 + ((at * 53 + at * at * 7) % 200));

/** The last two days with Marta: replies, reactions, a picture, a voice message, every state on the way. */
export function marta(now: number): Line[] {
  const until = Math.floor(now / 3600) + 7 * 24;
  return [
    { ago: DAY + 3 * HOUR, text: "The boat leaves at seven, not at eight." },
    {
      ago: DAY + 3 * HOUR - 20,
      text: "Bring the warm coat; it is windy out there.",
      reactions: [{ emoji: "👍", count: 1, mine: true }],
    },
    {
      ago: DAY + 2.9 * HOUR,
      by: "me",
      text: "Seven! I had eight in my head. Thank you.",
      state: "read",
      reply: "-2",
    },
    {
      ago: DAY + 2.8 * HOUR,
      kind: "attachment",
      text: "From the jetty this morning",
      attachment: file("jetty.jpg", "image/jpeg", 482_113),
      reactions: [
        { emoji: "❤️", count: 1, mine: true },
        { emoji: "😮", count: 1, mine: false },
      ],
    },
    { ago: DAY + 2.7 * HOUR, by: "me", text: "What a light.", state: "read", edited: true },
    {
      ago: DAY + HOUR,
      kind: "attachment",
      attachment: file("", "audio/webm", 62_000, { seconds: 23, peaks: PEAKS }),
    },
    { ago: 5 * HOUR, unreadable: "asked", kind: "unknown" },
    { ago: 4.9 * HOUR, deleted: true },
    { ago: 4.8 * HOUR, kind: "timer", timer: 7 * 86_400 },
    {
      ago: 2 * HOUR,
      text: "Did you find the harbour plan?\n\nOtherwise I have a copy at home, from 1987, with the old breakwater on it.",
      expires: now + 6 * 86_400,
    },
    {
      ago: 100 * MINUTE,
      by: "me",
      kind: "attachment",
      attachment: file("harbour-plan.pdf", "application/pdf", 3_482_113),
      state: "delivered",
      expires: null,
    },
    { ago: 30 * MINUTE, by: "me", text: "This one your box has, but you are asleep.", state: "box" },
    { ago: 20 * MINUTE, by: "me", text: "And this lies at your relay.", state: "relay", until, relays: 2 },
    {
      ago: 12 * MINUTE,
      by: "me",
      kind: "attachment",
      attachment: { ...file("sea-chart.png", "image/png", 4_194_304), state: "sending", progress: 0.42 },
      state: "sealed",
    },
    { ago: 5 * MINUTE, by: "me", text: "This waits at home.", state: "waiting" },
    { ago: 3 * MINUTE, by: "me", text: "This did not work.", state: "failed", problem: "kept_full" },
  ];
}

export const noura = (): Line[] => [
  { ago: 3 * DAY, text: "مرحبا! هل وصلتك الصور من الميناء؟" },
  { ago: 3 * DAY - 300, by: "me", text: "Yes! They are beautiful. شكرا جزيلا", state: "read" },
  { ago: 3 * HOUR, text: "سأكون على الشاطئ غدًا في السابعة، إن لم تمطر." },
  { ago: 3 * HOUR - 40, unreadable: "newer", kind: "unknown" },
];

export const jonas = (): Line[] => [
  { ago: 9 * DAY, text: "Thank you!" },
  { ago: 8 * DAY, by: "me", text: "Any time.", state: "delivered" },
  { ago: 7 * DAY, kind: "notice", notice: "key_changed" },
];

export const ferry = (): Line[] => [
  {
    ago: 2 * HOUR,
    text: "Your booking for the 28th is confirmed. Please answer with the number of passengers.",
  },
];

/** @returns an attachment without behaviour; the conversation adds it. */
export function file(
  name: string,
  media: string,
  size: number,
  voice: { seconds: number; peaks: Uint8Array } | null = null,
): NonNullable<Message["attachment"]> {
  return {
    problem: null,
    cancel() {},
    goOn() {},
    choose: () => Promise.resolve(true),
    name,
    media,
    size,
    voice,
    state: "remote",
    progress: 0,
    url: async () => "",
    release: () => {},
  };
}
