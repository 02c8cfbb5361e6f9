/** What the fake box knows of order among members: reports, acts, what waits for a second administrator. */

const DAY = 86_400;

/** @typedef {import("./box.mjs").Asked} Asked */

/** @param {number} now @returns {import("../src/state/order.ts").Report[]} */
export function reportScene(now) {
  const plain = {
    log: null,
    entry: null,
    account: null,
    role: null,
    evidence: "",
    taken_by: "",
    changed: now,
    did: [],
    answer: "",
    note: "",
  };
  return [
    {
      ...plain,
      ...{ id: "r1", why: "abuse", words: "He insults me whenever I write.", area: "people", account: "a6" },
      ...{ evidence: "You have no idea about boats!", about: "leo", role: "member", trusted: true },
      ...{ reporter: "marta", second: now - 7_200, phase: "open" },
    },
    {
      ...plain,
      ...{
        id: "r2",
        why: "spam",
        words: "",
        area: "boards",
        log: "bG9n",
        entry: "ZW50cnk",
        about: "old.friend",
      },
      ...{ trusted: false, reporter: "", second: now - DAY, phase: "taken", taken_by: "petra" },
    },
    {
      ...plain,
      ...{ id: "r3", why: "private", words: "My telephone number.", area: "channels", about: "leo" },
      ...{ trusted: true, reporter: "tilda", second: now - 3 * DAY, phase: "done", taken_by: "jonas" },
      ...{ did: ["removed", "warned"], answer: "It is gone.", note: "Second time." },
    },
  ];
}

/** @param {number} now @returns {import("../src/state/order.ts").Act[]} newest first */
export function actScene(now) {
  /** @type {[string, string, Record<string, string | number>][]} */
  const done = [
    ["member.suspend", "old.friend", { until: now + 3 * DAY, reason: "The same advert in three boards" }],
    ["member.role", "petra", { old: "member", new: "moderator" }],
    ["report.done", "leo", { did: "removed, warned" }],
    ["member.limits", "leo", { can_upload: "no" }],
    ["invite.make", "Rowing club", { uses: 5, role: "member" }],
    ["ask.made", "old.friend", { act: "member.remove" }],
    ["box.fly", "the moon", {}],
    ...Array.from(
      { length: 60 },
      (_, n) => /** @type {[string, string, {}]} */ (["post.pin", `Board ${60 - n}`, {}]),
    ),
    ["account.claim", "", {}],
  ];
  return done.map(([action, target, details], at) => ({
    number: done.length - at,
    second: now - at * 3_000,
    account: at === 1 ? null : "a2",
    name: at === 1 ? "" : "jonas",
    role: at === 1 ? "owner" : "admin",
    action,
    target,
    subject: null,
    details,
  }));
}

/** Handlers of the fake box, by method and first word of the path; `box` says the time. @param {{now: () => number}} box */
export function order(box) {
  let reports = reportScene(box.now());
  let acts = actScene(box.now());
  /** @type {import("../src/state/order.ts").OwnReport[]} */
  let own = [];
  /** @type {import("../src/state/order.ts").Approval[]} */
  let approvals = [
    {
      ...{ id: "p1", action: "member.remove", target: "old.friend", subject: null, asked_by: "jonas" },
      ...{ second: box.now() - 3_600, until: box.now() + DAY - 3_600, mine: false },
    },
  ];
  const isOpen = (/** @type {{phase: string}} */ one) => one.phase === "open" || one.phase === "taken";
  return {
    "GET reports": (/** @type {Asked} */ { query }, /** @type {string[]} */ [whose]) => {
      if (whose === "mine") return { reports: own };
      const wanted = reports.filter((one) => isOpen(one) === (query.get("state") === "open"));
      return { reports: wanted, next: null, open: reports.filter(isOpen).length };
    },
    "POST reports": (/** @type {Asked} */ { body }, /** @type {string[]} */ [id, step]) => {
      if (!id) {
        const made = { id: body.id, why: body.why, about: body.person ?? "", second: box.now() };
        own = [{ ...made, phase: "open", changed: box.now(), answer: "" }, ...own];
        return own[0];
      }
      const phase = step === "take" ? "taken" : step === "release" ? "open" : body.outcome;
      const more = step === "close" ? { did: body.did, answer: body.answer, note: body.note } : {};
      const taken_by = step === "release" ? "" : "ada";
      reports = reports.map((one) => (one.id === id ? { ...one, phase, taken_by, ...more } : one));
      return reports.find((one) => one.id === id);
    },
    "GET audit": (/** @type {Asked} */ { query }) => {
      const before = Number(query.get("before") ?? Infinity);
      const older = acts.filter((one) => one.number < before);
      const limit = Number(query.get("limit") ?? 50);
      return { acts: older.slice(0, limit), more: older.length > limit, days: 90 };
    },
    "DELETE audit": () => {
      acts = [];
    },
    "GET approvals": () => ({ approvals }),
    "POST approvals": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) => {
      approvals = approvals.filter((one) => one.id !== id);
    },
    "DELETE approvals": (/** @type {Asked} */ _asked, /** @type {string[]} */ [id]) => {
      approvals = approvals.filter((one) => one.id !== id);
    },
  };
}
