/**
 * Which device of the account this browser is. It sits where it sat before, as long as the vault goes on from
 * where this browser left it; a browser that remembers nothing sits down where nobody listens or answers a knock; when the
 * vault was restored or set back, the device is a new one, so that no sending chain is ever used twice.
 */
import type { Session } from "../../protocol/account.ts";
import { equal, fromHex, toHex } from "../../protocol/bytes.ts";
import { agreementPublic, signingPublic } from "../../protocol/keys.ts";
import type { Listening } from "../../protocol/post.ts";
import { makeLasting } from "../../protocol/prekeys.ts";
import type { Locker } from "../locker.ts";
import { random } from "../random.ts";
import { Displaced, type Edit, type Vault } from "../vault/vault.ts";
import type { Wire } from "../wire.ts";
import { names, type AccountRecord, type HeadRecord, type KeysRecord, type SeatRow } from "./records.ts";

export interface Seat {
  device: Uint8Array;
  id: string;
  instance: Uint8Array;
  fresh: boolean;
}

export interface Surroundings {
  wire: Wire;
  vault: Vault;
  locker: Locker;
  session: Session;
  now: () => number;
  label: string;
  /** Milliseconds that the others have to answer a knock. */
  patience: number;
}

interface Remembered {
  account: string;
  device: string;
  instance: string;
  generation: number;
  epoch: string;
}

const REMEMBERED = "seat";
const MAX_SEATS = 16;
const LOOKS = 8;
/** Seconds that the box has to have watched before it knows who does not listen (SPEC, section 27). */
const SURE = 30;
const HOUR = 3600;

/** The seat of this browser, bound to its sign-in. `setBack`: the vault is older than what was seen before. */
export async function takeSeat(around: Surroundings, setBack: boolean): Promise<Seat> {
  const seat = (await findSeat(around, setBack)) ?? (await newSeat(around, await ownBefore(around)));
  await around.wire.post("/v1/session/device", { device: seat.device });
  await rememberSeat(around, seat);
  return seat;
}

/** Remember how far this device is; called after each change. */
export async function rememberSeat(around: Surroundings, seat: Seat): Promise<void> {
  const head = around.vault.peek(names.head(seat.id)) as unknown as HeadRecord | undefined;
  const remembered: Remembered = {
    account: toHex(around.session.account),
    device: seat.id,
    instance: toHex(seat.instance),
    generation: head?.generation ?? 0,
    epoch: toHex(around.session.epoch),
  };
  await around.locker.put(REMEMBERED, remembered);
}

async function findSeat(around: Surroundings, setBack: boolean): Promise<Seat | undefined> {
  const { vault, session, locker } = around;
  const account = await accountOf(vault);
  const seats = account?.devices.map((row) => toHex(row.device)) ?? [];
  const heads = await readHeads(vault, seats);
  const kept = await locker.get<Remembered>(REMEMBERED);
  if (setBack) return undefined;
  if (kept?.account === toHex(session.account)) {
    const head = heads.get(kept.device);
    const whole = head && kept.epoch === toHex(session.epoch) && head.generation >= kept.generation;
    if (!whole) return undefined;
    if (toHex(head.instance) === kept.instance)
      return { device: fromHex(kept.device), id: kept.device, instance: head.instance, fresh: false };
  }
  const free = await freeSeats(around, heads);
  for (const id of free) {
    const seat = await sitDown(around, id);
    if (seat) return seat;
  }
  return undefined;
}

/** Seats nobody sits on, the one used last first. */
async function freeSeats(around: Surroundings, heads: Map<string, HeadRecord>): Promise<string[]> {
  const { vault, session } = around;
  const usable = [...heads].filter(([, head]) => equal(head.epoch, session.epoch));
  const left = usable.filter(([, head]) => head.left).sort((a, b) => b[1].alive - a[1].alive);
  const doubtful = usable.filter(([, head]) => !head.left).sort((a, b) => b[1].alive - a[1].alive);
  if (left.length > 0 || doubtful.length === 0) return left.map(([id]) => id);
  const deaf = await deafOnes(
    around,
    doubtful.map(([id]) => id),
  );
  if (deaf.length > 0) return deaf;
  const before = new Map(doubtful.map(([id]) => [id, vault.version(names.head(id))]));
  const silent = (): string[] =>
    [...before].filter(([id, version]) => vault.version(names.head(id)) === version).map(([id]) => id);
  await vault.commit([{ name: names.knock, step: () => ({ v: 1, nonce: random(8) }) }]);
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((done) => setTimeout(done, around.patience / LOOKS));
    await vault.pull();
    const still = silent();
    const gone = await deafOnes(around, still);
    if (gone.length > 0 || still.length === 0) return gone;
  }
  return silent();
}

/** Those of these devices that cannot hear a knock. */
async function deafOnes({ wire }: Surroundings, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const { devices, seconds } = await wire.get<Listening>("/v1/listening");
  const listening = new Set(devices.map(toHex));
  return seconds < SURE ? [] : ids.filter((id) => !listening.has(id));
}

async function sitDown(around: Surroundings, id: string): Promise<Seat | undefined> {
  const instance = random(8);
  const name = names.head(id);
  const head = around.vault.peek(name) as unknown as HeadRecord;
  const write = random(8);
  const next: HeadRecord = {
    ...head,
    generation: head.generation + 1,
    instance,
    write,
    alive: around.now(),
    left: false,
  };
  try {
    const written = (): boolean => {
      const there = around.vault.peek(name) as unknown as HeadRecord;
      return equal(there.write, write);
    };
    await around.vault.commit([owned(name, next)], { written });
  } catch (error) {
    if (error instanceof Displaced) return undefined;
    throw error;
  }
  return { device: fromHex(id), id, instance, fresh: false };
}

async function newSeat(around: Surroundings, before: string | undefined): Promise<Seat> {
  const { vault, session } = around;
  const hour = Math.floor(around.now() / HOUR);
  const device = random(16);
  const id = toHex(device);
  const signing = random(32);
  const agreement = random(32);
  const lasting = makeLasting(1, 1, hour, random);
  const keys: KeysRecord = {
    v: 1,
    signing,
    agreement,
    lasting: [lasting],
    shown: new Uint8Array(),
    replays: [],
  };
  const head: HeadRecord = {
    v: 1,
    generation: 1,
    instance: random(8),
    write: random(8),
    epoch: session.epoch,
    alive: around.now(),
    left: false,
    done: 0,
    held: [],
    sessions: [],
  };
  const row: SeatRow = {
    device,
    label: around.label,
    signing: signingPublic(signing),
    agreement: agreementPublic(agreement),
    added: hour,
  };
  const gone = [before, await leastUsed(vault)];
  await vault.commit(
    [
      owned(names.head(id), head),
      owned(names.keys(id), keys),
      owned(names.prekeys(id), { v: 1, next: 1, secrets: [] }),
      owned(names.outgoing(id), { v: 1, entries: [] }),
      {
        name: names.account,
        step: (now) => {
          const account = now as unknown as AccountRecord;
          const others = account.devices.filter((one) => !gone.includes(toHex(one.device)));
          return { ...account, devices: [...others, row] } as never;
        },
      },
    ],
    { written: () => vault.peek(names.head(id)) !== undefined },
  );
  return { device, id, instance: head.instance, fresh: true };
}

/** The device that was this browser's and may not be used any more, because the vault does not go on from it. */
async function ownBefore(around: Surroundings): Promise<string | undefined> {
  const kept = await around.locker.get<Remembered>(REMEMBERED);
  if (kept?.account !== toHex(around.session.account)) return undefined;
  const head = (await readHeads(around.vault, [kept.device])).get(kept.device);
  return head && toHex(head.instance) === kept.instance ? kept.device : undefined;
}

/** With all seats taken, the one that has to go. */
async function leastUsed(vault: Vault): Promise<string | undefined> {
  const account = await accountOf(vault);
  if (!account || account.devices.length < MAX_SEATS) return undefined;
  const heads = await readHeads(
    vault,
    account.devices.map((row) => toHex(row.device)),
  );
  return [...heads].sort((a, b) => a[1].alive - b[1].alive)[0]?.[0];
}

/** The heads of these devices, those that are there. */
export async function readHeads(vault: Vault, seats: string[]): Promise<Map<string, HeadRecord>> {
  const values = await vault.read(seats.map(names.head));
  const heads = new Map<string, HeadRecord>();
  for (const [at, value] of values.entries())
    if (value !== undefined) heads.set(seats[at]!, value as unknown as HeadRecord);
  return heads;
}

async function accountOf(vault: Vault): Promise<AccountRecord | undefined> {
  const [account] = await vault.read([names.account]);
  return account as unknown as AccountRecord | undefined;
}

function owned(name: string, value: unknown): Edit {
  return { name, owned: true, step: () => value as never };
}
