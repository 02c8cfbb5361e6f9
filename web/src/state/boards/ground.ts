/** What the boards stand on: the way to the box, the account's keys, its record in the vault, and news. Small: it is loaded with the page. */
import type { Event } from "../../protocol/post.ts";
import { readPerson } from "../../protocol/names.ts";
import { messenger } from "../messenger/messenger.svelte.ts";
import { names } from "../messenger/records.ts";
import type { Core } from "../messenger/core.ts";
import type { Wire } from "../wire.ts";
import type { BoardsRecord } from "./marks.ts";

export interface Ground {
  readonly wire: Pick<Wire, "get" | "post" | "call" | "remove">;
  readonly name: string;
  /** The box's key, of which its address is made. */
  readonly onion: Uint8Array;
  readonly host: string;
  readonly seed: Uint8Array;
  readonly identity: Uint8Array;
  /** Unix seconds. */
  now(): number;
  /** Identities of people of the box at an address that this account knows better than by the box's word. */
  known(host: string): ReadonlyMap<string, Uint8Array>;
  read(): Promise<BoardsRecord | undefined>;
  /** Change the record in the vault, soon. */
  change(step: (now: BoardsRecord | undefined) => BoardsRecord): void;
  /** Be told of events, and when another device changed the record; ends what it returns. */
  hear(event: (event: Event) => void, reread: () => void): () => void;
}

const grounds = new WeakMap<Core, Ground>();

/** That of the account that is open, once its archive is. */
export function ground(): Ground | undefined {
  const core = messenger.core;
  if (!core || !messenger.me) return undefined;
  let known = grounds.get(core);
  if (!known) grounds.set(core, (known = groundOf(core)));
  return known;
}

/** The ground under an account's core. */
export function groundOf(core: Core): Ground {
  const { name, onion: host, seed } = core.account();
  const identity = core.identity();
  const onion = readPerson(`${name}@${host}`)!.onion;
  return {
    wire: core.wire,
    ...{ name, onion, host, seed, identity },
    now: () => core.now(),
    known: (at) => {
      const all = new Map<string, Uint8Array>();
      for (const chat of core.chats.all) {
        const person = core.people.person(chat.id);
        if (person?.onion === at) all.set(person.name, person.identity);
      }
      return at === host ? all.set(name, identity) : all;
    },
    read: async () => (await core.vault.read([names.boards]))[0] as unknown as BoardsRecord | undefined,
    change: (step) => core.ledger.later((batch) => batch.change<BoardsRecord>(names.boards, step)),
    hear: (event, reread) => {
      const changed = (all: readonly string[]): void => void (all.includes(names.boards) && reread());
      core.listeners.add(event);
      core.rereads.add(changed);
      return () => {
        core.listeners.delete(event);
        core.rereads.delete(changed);
      };
    },
  };
}
