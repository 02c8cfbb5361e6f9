/** Proof of work for strangers (SPEC.md, "Work"): memory and time for one registration. */
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { concat, u32, utf8 } from "./bytes.ts";
import { Refusal } from "./refusal.ts";
import type { WorkChallenge, WorkSolution } from "./route.ts";

const PURPOSE = utf8("island/v1/work\0");
/** Beyond this a box asks for more than a visit is worth. */
const MAX_MEMORY_KIB = 1 << 17;
const MAX_PASSES = 16;
const MAX_BITS = 20;

/** A solution, tried from `start` on; `tried` hears of every try. Refusal bad_setting for an absurd puzzle. */
export async function solve(
  work: WorkChallenge,
  tried?: (tries: number) => void,
  start = 0,
): Promise<WorkSolution> {
  const { challenge, memory_kib: m, passes: t, bits } = work;
  if (m > MAX_MEMORY_KIB || t > MAX_PASSES || bits > MAX_BITS) throw new Refusal("bad_setting");
  for (let tries = 0; ; tries++) {
    const solution = concat(u32(start + tries));
    const digest = await argon2idAsync(concat(PURPOSE, solution), challenge, { m, t, p: 1, dkLen: 32 });
    if (zeroBits(digest) >= bits) return { challenge, solution };
    tried?.(tries + 1);
  }
}

function zeroBits(digest: Uint8Array): number {
  const first = digest.findIndex((byte) => byte !== 0);
  return first < 0 ? digest.length * 8 : first * 8 + Math.clz32(digest[first]!) - 24;
}
