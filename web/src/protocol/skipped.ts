/** Keys of messages that were skipped: kept by chain, oldest first, bounded in number and age. */
import { equal, toHex } from "./bytes.ts";

/** Keys a session keeps in all, and one that is not the present one. */
export const MAX_KEPT = 2000;
export const MAX_KEPT_OLDER = 500;
/** Hours after which a chain's kept keys are dropped. */
export const MAX_AGE = 30 * 24;

/** Keys kept at one hour of the chain with this header key: number and key, rising. */
export interface Kept {
  readonly header: Uint8Array;
  readonly hour: number;
  readonly keys: readonly (readonly [number, Uint8Array])[];
}

/** What is younger than 30 days. */
export function dropAged(kept: readonly Kept[], hour: number): readonly Kept[] {
  const stays = (chain: Kept) => chain.hour + MAX_AGE > hour;
  return kept.every(stays) ? kept : kept.filter(stays);
}

/** The header keys of the chains, each once. */
export function headers(kept: readonly Kept[]): Uint8Array[] {
  return [...new Map(kept.map(({ header }) => [toHex(header), header])).values()];
}

/** With the keys of one more stretch; the oldest go where there are too many. */
export function keep(kept: readonly Kept[], more: Kept): readonly Kept[] {
  const same = kept.findIndex((chain) => chain.hour === more.hour && equal(chain.header, more.header));
  const all =
    same < 0 ? [...kept, more] : kept.map((chain, at) => (at === same ? joined(chain, more) : chain));
  return bounded(all, MAX_KEPT);
}

/** The newest keys only. */
export function bounded(kept: readonly Kept[], most: number): readonly Kept[] {
  let tooMany = kept.reduce((sum, chain) => sum + chain.keys.length, 0) - most;
  if (tooMany <= 0) return kept;
  const left: Kept[] = [];
  for (const chain of kept) {
    const keys = chain.keys.slice(Math.max(0, tooMany));
    tooMany -= chain.keys.length - keys.length;
    if (keys.length > 0) left.push({ ...chain, keys });
  }
  return left;
}

/** One key, and what is left without it; undefined when it is not there. */
export function take(
  kept: readonly Kept[],
  header: Uint8Array,
  number: number,
): { key: Uint8Array; kept: readonly Kept[] } | undefined {
  for (const chain of kept) {
    const found = equal(chain.header, header) && chain.keys.find(([each]) => each === number);
    if (!found) continue;
    const keys = chain.keys.filter((each) => each !== found);
    const left = kept.map((each) => (each === chain ? { ...chain, keys } : each));
    return { key: found[1], kept: left.filter((each) => each.keys.length > 0) };
  }
  return undefined;
}

function joined(chain: Kept, more: Kept): Kept {
  return { ...chain, keys: [...chain.keys, ...more.keys] };
}
