import { beforeEach, expect, test } from "vitest";
import { toHex } from "../../src/protocol/bytes.ts";
import { decode, encode, type Value } from "../../src/protocol/cbor.ts";
import type { Put, Remove, SealedRecord } from "../../src/protocol/vault.ts";
import { MemoryLocker } from "../../src/state/locker.ts";
import { Displaced, Vault, type Edit } from "../../src/state/vault/vault.ts";
import { Wire, type Transport } from "../../src/state/wire.ts";

/** The vault's part of a box, in memory. */
class Shelf implements Transport {
  records = new Map<string, SealedRecord>();
  revision = 0;
  forgotten = 0;
  lose = 0;
  /** Answers with changes that come through, one change each, before the line is cut; undefined: all in one. */
  pages: number | undefined;

  fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const body = init.body ? decode(new Uint8Array(init.body as ArrayBuffer)) : {};
    const answer = await Promise.resolve(this.#answer(path, body as never));
    if (path === "/v1/vault" && this.lose > 0 && this.lose--) throw new TypeError("network");
    const refused = typeof answer === "string";
    const octets = encode(refused ? { error: { code: answer, message: "" } } : (answer as never));
    const arrayBuffer = (): Promise<ArrayBuffer> => Promise.resolve(octets.slice().buffer);
    return { status: refused ? 409 : 200, arrayBuffer } as Response;
  };

  #answer(path: string, body: { ids: Uint8Array[]; put: Put[]; remove: Remove[] }): object | string {
    const rest = { revision: this.revision, more: false, octets: 0, octets_limit: 0 };
    if (path === "/v1/vault/read")
      return { ...rest, records: body.ids.flatMap((id) => this.records.get(toHex(id)) ?? []) };
    if (path === "/v1/vault") return this.#change([...body.put, ...body.remove]);
    const after = Number(path.split("=")[1]);
    if (after < this.forgotten || after > this.revision) return "vault_old";
    const records = [...this.records.values()].filter((record) => record.revision > after);
    records.sort((a, b) => a.revision - b.revision);
    if (this.pages === undefined) return { ...rest, records };
    if (this.pages-- === 0) throw new TypeError("network");
    return { ...rest, more: true, records: records.slice(0, 1) };
  }

  #change(rows: (Put | Remove)[]): object | string {
    if (rows.some(({ id, base }) => (this.records.get(toHex(id))?.version ?? 0) !== base))
      return "vault_conflict";
    this.revision += 1;
    for (const row of rows) {
      const data = "data" in row ? row.data : null;
      this.records.set(toHex(row.id), { id: row.id, version: row.base + 1, revision: this.revision, data });
    }
    return { revision: this.revision, left: [] };
  }

  copy(): () => void {
    const [records, revision] = [new Map(this.records), this.revision];
    return () => Object.assign(this, { records: new Map(records), revision });
  }
}

let shelf: Shelf;
beforeEach(() => (shelf = new Shelf()));

async function open(): Promise<Vault> {
  const vault = await Vault.open(new Wire(shelf), new Uint8Array(32).fill(7), new MemoryLocker(), "ada");
  await vault.refresh("epoch");
  return vault;
}

const put = (name: string, value: Value | undefined, owned = false): Edit[] => [
  { name, step: () => value, owned },
];

test("who was away for too long reads everything again", async () => {
  const [mine, other] = [await open(), await open()];
  for (const name of ["a", "b", "c"]) await mine.commit(put(name, 1));
  await other.commit(put("b", 2));
  await other.commit(put("c", undefined));
  shelf.forgotten = shelf.revision;
  let changed: string[] = [];
  mine.changed = (names) => (changed = names);
  await mine.pull();
  expect(changed.sort()).toEqual(["b", "c"]);
  expect(["a", "b", "c"].map((name) => mine.peek(name))).toEqual([1, 2, undefined]);
  changed = [];
  await mine.pull();
  expect(changed).toEqual([]);
});

test("a box that was set back is noticed, also when others have written since", async () => {
  const mine = await open();
  await mine.commit(put("a", 1));
  const back = shelf.copy();
  for (const value of [2, 3, 4]) await mine.commit(put("a", value));
  back();
  await expect(mine.pull()).rejects.toMatchObject({ code: "vault_old" });
  const other = await open();
  for (let value = 0; value < 5; value++) await other.commit(put("b", value));
  shelf.forgotten = shelf.revision;
  await expect(mine.pull()).rejects.toMatchObject({ code: "vault_old" });
});

test("a device whose own record was set back stops", async () => {
  const mine = await open();
  await mine.commit(put("mine", 1, true));
  const back = shelf.copy();
  await mine.commit(put("mine", 2, true));
  back();
  await expect(mine.commit(put("mine", 3, true))).rejects.toBeInstanceOf(Displaced);
});

test("a change whose answer was lost counts once, also when a pull shows its effect first", async () => {
  const mine = await open();
  const edits: Edit[] = [
    ...put("mine", 7, true),
    { name: "log", step: (now) => [...((now as Value[] | undefined) ?? []), "said"] },
  ];
  const written = (): boolean => mine.peek("mine") === 7;
  shelf.lose = 1;
  await expect(mine.commit(edits, { written })).rejects.toMatchObject({ code: "offline" });
  await mine.pull();
  await mine.commit(edits, { written });
  expect(await (await open()).read(["log", "mine"])).toEqual([["said"], 7]);
});

test("what a conflict brought of others is told as well as what a pull brings", async () => {
  const mine = await open();
  const theirs = await open();
  const add = (name: string, value: Value): Edit => ({
    name,
    step: (now) => [...((now ?? []) as Value[]), value],
  });
  await mine.commit([add("talk", 1), add("log", 1)]);
  await theirs.commit([add("talk", 2), add("log", 2)]);
  const told: string[] = [];
  mine.changed = (names) => told.push(...names);
  await mine.commit([add("talk", 3)]);
  expect(mine.peek("talk")).toEqual([1, 2, 3]);
  // What belongs to it has come along.
  expect(mine.peek("log")).toEqual([1, 2]);
  expect(told.toSorted()).toEqual(["log", "talk"]);
  await mine.pull();
  expect(told).toHaveLength(2);
});

test("what a pull brought before it was cut off is told by the next", async () => {
  const mine = await open();
  const theirs = await open();
  for (const name of ["a", "b"]) await mine.commit(put(name, 1));
  for (const name of ["a", "b"]) await theirs.commit(put(name, 2));
  const told: string[] = [];
  mine.changed = (names) => told.push(...names);
  shelf.pages = 1;
  await expect(mine.pull()).rejects.toMatchObject({ code: "offline" });
  shelf.pages = undefined;
  await mine.pull();
  expect(told.toSorted()).toEqual(["a", "b"]);
});

test("the copies in the locker and the revision they are good for are kept together", async () => {
  const locker = new MemoryLocker();
  const vault = await Vault.open(new Wire(shelf), new Uint8Array(32).fill(7), locker, "ada");
  await vault.refresh("epoch");
  await vault.read(["a"]);
  await vault.commit(put("a", 1));
  const copies = [...locker.sealed.values()];
  expect(copies).toHaveLength(1);
  expect(vault.octets("a")).toBe(copies[0]!.data.length);
  expect(await locker.get("vault-revision")).toEqual({ account: "ada", epoch: "epoch", revision: 1 });
  await vault.commit(put("a", undefined));
  expect([locker.sealed.size, vault.octets("a")]).toEqual([0, 0]);
  expect(await locker.get("vault-revision")).toMatchObject({ revision: 2 });
});
