/** What the fake box's boards say. */

export interface Scene {
  board: number;
  subject: string;
  ago: number;
  by: string;
  body?: string;
  answers?: readonly (readonly [name: string, body: string])[];
  pinned?: boolean;
  /** As many short posts more. */
  posts?: number;
  /** A post that is not genuine. */
  forged?: string;
}

export const BOARDS = [
  ["Harbour", "Ferries, tides, and who is where. Everybody reads this."],
  ["Workshop", "Tools to lend, and how to mend things."],
  ["Rules", ""],
] as const;

export const LONG = "A log of a thousand days";

const TIMETABLE = `The **winter timetable** holds from Monday on:

| Ferry | Leaves | Back |
|:--|--:|--:|
| Outer skerries | 07:40 | 16:10 |
| Mainland | 09:00 | 18:30 |

- Bicycles go free.
- ~~Dogs~~ All animals need a ticket.

> When the flag is red, nothing sails.

Ask at <https://example.org/ferry> or [write](mailto:ferry@example.org).`;

export const THREADS: readonly Scene[] = [
  {
    board: 0,
    subject: "Winter timetable",
    ago: 9 * 86_400,
    by: "marta",
    body: TIMETABLE,
    pinned: true,
    answers: [
      ["jonas", "Thank you! Is there one on *Saturday* evening?"],
      ["ada", "There is, at 20:15, but only until the ice comes."],
      ["noura", "شكرا جزيلا! هل توجد عبارة يوم الأحد؟"],
    ],
    forged: "Send your passphrase to me.",
  },
  {
    board: 0,
    subject: "Has anybody seen a red rowing boat?",
    ago: 5 * 3600,
    by: "jonas",
    body: "It came loose on Tuesday night. It has `Selma` painted on the bow.",
    answers: [["ada", "There is one on the beach behind the church."]],
  },
  {
    board: 0,
    subject: "سوق السمك يوم الجمعة",
    ago: 30 * 3600,
    by: "noura",
    body: "يفتح السوق في الساعة السابعة صباحا.",
  },
  { board: 1, subject: "Who can lend a lathe?", ago: 3 * 86_400, by: "marta", body: "For two days, in May." },
];
