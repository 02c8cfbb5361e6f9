/** One step of a channel's story, as sender_keys.json tells it: done by the cipher, and what came of it. */
import { toHex } from "../../src/protocol/bytes.ts";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import { readContent, writeContent, type SenderKey } from "../../src/protocol/content.ts";
import { SenderKeys, type Recipient } from "../../src/protocol/groupCipher.ts";
import type { State } from "../../src/protocol/membership.ts";
import { drawn, hex, refusalOfPromise } from "../vectors.ts";

type Pair = [string, string];
type Present = [string, string[]][];

/** What is done, with what; and what came of it, in hexadecimal. */
export interface Step {
  do: string;
  who: string;
  state?: number;
  present?: Present;
  hour?: number;
  fresh?: string;
  to?: Pair;
  sender?: Pair;
  id?: string;
  sent?: number;
  wanted?: string;
  content?: string | null;
  payload?: string;
  number?: number;
  message?: string;
  oldest?: Record<string, number>;
  refused?: string;
  reason?: string | null;
  missing?: Pair[];
  changes?: Record<string, string | null>;
}

const recipient = ([identity, device]: Pair): Recipient => ({ identity: hex(identity), device: hex(device) });
const presentOf = (step: Step) =>
  step.present!.map(([identity, devices]) => ({ identity: hex(identity), devices: devices.map(hex) }));
const common = (step: Step) => ({ id: hex(step.id!), sent: step.sent! });
const payloadOf = (told: SenderKey | undefined) => (told ? toHex(writeContent(told)) : null);

const DONE: Record<
  string,
  (keys: SenderKeys, state: State, step: Step) => Partial<Step> | Promise<Partial<Step>>
> = {
  why: (keys, state, step) => ({ reason: keys.whyRenew(state, presentOf(step), step.hour!) ?? null }),
  renew: (keys, state, step) => {
    keys.renew(state, presentOf(step), step.hour!, drawn(hex(step.fresh!)));
    return {};
  },
  missing: (keys, state, step) => ({
    missing: keys.missing(state, presentOf(step)).map((one) => [toHex(one.identity), toHex(one.device)]),
  }),
  give: (keys, state, step) => ({ content: payloadOf(keys.give(state, recipient(step.to!), common(step))) }),
  answer: (keys, state, step) => ({
    content: payloadOf(keys.answer(state, recipient(step.to!), hex(step.wanted!), common(step))),
  }),
  take: (keys, _, step) => {
    keys.take(readContent(hex(step.content!)) as SenderKey, recipient(step.sender!));
    return {};
  },
  seal: (keys, state, step) => ({
    message: toHex(keys.seal(state, hex(step.payload!), drawn(hex(step.fresh!)))),
  }),
  open: async (keys, state, step) => {
    const [heard] = await keys.openAll([{ number: step.number!, message: hex(step.message!), state }]);
    if ("refused" in heard!) return { refused: heard.refused };
    if ("wanted" in heard!) return { wanted: toHex(heard.wanted) };
    const { identity, device } = heard!.sender;
    return { payload: toHex(heard!.payload), sender: [toHex(identity), toHex(device)] };
  },
  forget: (keys, _, step) => {
    keys.forget(new Map(Object.entries(step.oldest!)));
    return {};
  },
};

/** What came of a step, and how the records changed. */
export async function perform(
  keys: SenderKeys,
  states: readonly State[],
  step: Step,
): Promise<Partial<Step>> {
  let told: Partial<Step> = {};
  const act = async () => {
    told = await DONE[step.do]!(keys, states[(step.state ?? 1) - 1]!, step);
  };
  const code = await refusalOfPromise(act());
  if (code !== "none") told = { refused: code };
  const changes: Record<string, string | null> = {};
  for (const [name, value] of [...keys.changes()].sort(([a], [b]) => (a < b ? -1 : 1)))
    changes[name] = value === undefined ? null : toHex(encode(value));
  return { ...told, changes };
}

/** The same cipher from its records: what was stored is what was there. */
export function restored(keys: SenderKeys, records: ReadonlyMap<string, string>): SenderKeys {
  const again = new SenderKeys(keys.own, keys.infoKey);
  again.load(new Map([...records].map(([name, value]): [string, Value] => [name, decode(hex(value))])));
  return again;
}
