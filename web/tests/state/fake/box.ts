/** The box's member API in memory, as far as the messages need it. It checks what the real one checks. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { toBase64url } from "../../../src/protocol/base64url.ts";
import { equal, fromHex, toHex } from "../../../src/protocol/bytes.ts";
import type { Value } from "../../../src/protocol/cbor.ts";
import type { OneTimePrekey } from "../../../src/protocol/directory.ts";
import { address } from "../../../src/protocol/onion.ts";
import type { Dispatch } from "../../../src/protocol/post.ts";
import { readBundle, readEntry } from "../../../src/protocol/prekeys.ts";
import type { FakeSocket, Line } from "./line.ts";
import { dispatch, post, settle, type Place, type Waiting } from "./post.ts";
import { Tree } from "./tree.ts";

export class Refused extends Error {
  constructor(
    readonly code: string,
    readonly status = 400,
    readonly details: Record<string, unknown> = {},
  ) {
    super(code);
  }
}

type Body = Record<string, unknown>;

interface Changing {
  put?: Sealed[];
  remove?: Sealed[];
  dispatches?: Dispatch[];
  done?: number[];
}

export interface Sealed {
  id: Uint8Array;
  version: number;
  revision: number;
  data: Uint8Array | null;
}

export interface Account {
  account: Uint8Array;
  name: string;
  authentication: Uint8Array;
  wrapped: Uint8Array;
  kdf: Value;
  codes: { authentication: Uint8Array; wrapped: Uint8Array }[];
  /** Codes that are used up, each with the attempt that did it. */
  used: { authentication: Uint8Array; wrapped: Uint8Array; attempt: Uint8Array }[];
  /** A second factor before and after its confirmation: its code, or none. */
  pending: string | null;
  totp: string | null;
  vault: Map<string, Sealed>;
  revision: number;
  entry: Uint8Array | null;
  bundles: Map<string, Uint8Array>;
  prekeys: Map<string, OneTimePrekey[]>;
  kept: Map<string, Uint8Array>;
  dispatches: Map<string, Value>;
}

export interface Session {
  id: Uint8Array;
  account: Account;
  label: string;
  device: string | null;
  byCode: boolean;
  ended: boolean;
}

let counter = 0;
export const unique = (octets: number): Uint8Array => {
  const bytes = new Uint8Array(octets);
  new DataView(bytes.buffer).setUint32(octets - 4, ++counter);
  return bytes;
};

export class FakeBox {
  readonly seed = crypto.getRandomValues(new Uint8Array(32));
  readonly onion = ed25519.getPublicKey(this.seed);
  readonly host = address(this.onion);
  readonly tree = new Tree(this.seed, this.host);
  readonly accounts = new Map<string, Account>();
  readonly sessions: Session[] = [];
  readonly places = new Map<string, Place>();
  readonly queues = new Map<string, Waiting[]>();
  readonly links = new Map<string, { packet: Uint8Array; account: Account }>();
  sockets: FakeSocket[] = [];
  epoch = unique(16);
  /** Dispatches wait at relays instead of arriving. */
  away = false;
  /** Seconds that it knows who listens. */
  watched = 0;
  /** Nobody may keep anything more. */
  full = false;
  number = 0;
  /** Seconds that its clock and everybody's are ahead of this machine's. */
  ahead = 0;

  get now(): number {
    return Date.now() / 1000 + this.ahead;
  }

  listen(socket: FakeSocket): void {
    // The sign-in may have ended after the ticket was given.
    if (socket.session.ended) return socket.close(4001);
    this.sockets.push(socket);
    socket.tell({ number: 1, kind: "hello" });
  }

  hangUp(session: Session | undefined, code = 1006): void {
    for (const socket of this.sockets) if (socket.session === session) socket.close(code);
    this.sockets = this.sockets.filter((socket) => socket.open);
  }

  /** Tell an event to the live devices of an account, or one of them. */
  tell(account: Account, event: object, only?: string, but?: Session): void {
    for (const socket of this.sockets) {
      const { session } = socket;
      if (session.account !== account || session.ended || session === but) continue;
      if (only === undefined || session.device === only) socket.tell({ number: ++this.number, ...event });
    }
  }

  async answer(line: Line, request: string, path: string, body: Body): Promise<unknown> {
    await Promise.resolve();
    const open = this.#door(line, request, body);
    if (open !== undefined) return open;
    const session = line.session;
    if (!session || session.ended) throw new Refused("sign_in", 401);
    const query = new URLSearchParams(path.split("?")[1]);
    const answer =
      this.#member(line, session, request, body, query) ?? post(line, session, request, body, query);
    if (request.startsWith("DELETE /v1/sessions/")) return this.#endSession(session, request);
    if (answer === undefined) throw new Refused("not_found", 404);
    return answer;
  }

  #door(line: Line, request: string, body: Body): unknown {
    switch (request) {
      case "GET /v1/door":
        return {
          claimed: true,
          registration: "open",
          title: "",
          work: null,
          kdf_memory_kib: 8,
          kdf_passes: 1,
        };
      case "POST /v1/accounts": {
        const known = this.accounts.get(body.name as string);
        if (known && !equal(known.account, body.account as never)) throw new Refused("name_taken", 409);
        const account = known ?? this.#newAccount(body);
        this.accounts.set(account.name, account);
        return this.signIn(line, account, account.wrapped, body.label as string);
      }
      case "POST /v1/session/parameters": {
        const account = this.accounts.get(body.name as string);
        return account?.kdf ?? { salt: new Uint8Array(16), memory_kib: 8, passes: 1 };
      }
      case "POST /v1/session": {
        const account = this.accounts.get(body.name as string);
        if (!account || !equal(account.authentication, body.authentication as never))
          throw new Refused("wrong_sign_in", 403);
        if (account.totp && body.totp !== account.totp) throw new Refused("second_factor", 401);
        return this.signIn(line, account, account.wrapped, body.label as string);
      }
      case "POST /v1/session/code": {
        const account = this.accounts.get(body.name as string);
        const isIt = (one: { authentication: Uint8Array }): boolean =>
          equal(one.authentication, body.authentication as never);
        const again = account?.used.find((one) => isIt(one) && equal(one.attempt, body.attempt as never));
        const code = account?.codes.find(isIt) ?? again;
        if (!account || !code) throw new Refused("wrong_sign_in", 403);
        account.codes = account.codes.filter((one) => one !== code);
        account.used = [{ ...code, attempt: body.attempt as never }];
        return this.signIn(line, account, code.wrapped, body.label as string, true);
      }
      case "POST /v1/session/refresh":
        if (!line.session || line.session.ended) throw new Refused("session_ended", 401);
        line.stale = false;
        return this.shown(line.session, line.session.account.wrapped);
      case "POST /v1/links/take": {
        const link = this.links.get(toHex(body.id as never));
        if (!link) throw new Refused("no_link", 404);
        this.links.delete(toHex(body.id as never));
        return {
          packet: link.packet,
          session: this.signIn(line, link.account, link.account.wrapped, body.label as string),
        };
      }
    }
    return undefined;
  }

  #newAccount(body: Body): Account {
    return {
      account: body.account as never,
      name: body.name as string,
      authentication: body.authentication as never,
      wrapped: body.wrapped as never,
      kdf: body.kdf as never,
      codes: [],
      used: [],
      pending: null,
      totp: null,
      vault: new Map(),
      revision: 0,
      entry: null,
      bundles: new Map(),
      prekeys: new Map(),
      kept: new Map(),
      dispatches: new Map(),
    };
  }

  signIn(line: Line, account: Account, wrapped: Uint8Array, label: string, byCode = false): unknown {
    line.session = { id: unique(16), account, label, device: null, byCode, ended: false };
    this.sessions.push(line.session);
    return this.shown(line.session, wrapped);
  }

  shown(session: Session, wrapped: Uint8Array): unknown {
    const { account } = session;
    return {
      account: account.account,
      name: account.name,
      role: "member",
      onion: this.host,
      session: session.id,
      wrapped,
      epoch: this.epoch,
      totp: account.totp !== null,
      codes_left: account.codes.length,
      by_code: session.byCode,
    };
  }

  #member(line: Line, session: Session, request: string, body: Body, query: URLSearchParams): unknown {
    const { account } = session;
    switch (request) {
      case "GET /v1/session":
        return this.shown(session, account.wrapped);
      case "DELETE /v1/session":
        session.ended = true;
        line.session = undefined;
        return {};
      case "GET /v1/sessions": {
        const rows = this.sessions.filter((one) => one.account === account && !one.ended);
        const shown = rows.map((one) => ({
          session: one.id,
          label: one.label,
          device: one.device && fromHex(one.device),
          started_hour: 0,
          used_hour: 0,
          current: one === session,
        }));
        return { sessions: shown };
      }
      case "POST /v1/session/device":
        session.device = toHex(body.device as never);
        return {};
      case "POST /v1/account/codes":
        account.codes = body.codes as never;
        return {};
      case "POST /v1/account/totp":
        account.pending = "123456";
        return { secret: new Uint8Array(20), uri: "otpauth://totp/x" };
      case "POST /v1/account/totp/confirm":
        if (!account.pending && account.totp !== body.totp) throw new Refused("wrong_state", 409);
        account.totp = account.pending ?? account.totp;
        account.pending = null;
        return {};
      case "POST /v1/account/passphrase":
        if (!session.byCode && !equal(account.authentication, body.old as never))
          throw new Refused("wrong_sign_in", 403);
        Object.assign(account, { kdf: body.kdf, authentication: body.authentication, wrapped: body.wrapped });
        return {};
      case "POST /v1/links":
        this.links.set(toHex(body.id as never), { packet: body.packet as never, account });
        return {};
      case "GET /v1/vault":
        return this.#changes(account, Number(query.get("after")));
      case "POST /v1/vault/read": {
        const ids = (body.ids as unknown as Uint8Array[]).map(toHex);
        const records = ids.flatMap((id) => account.vault.get(id) ?? []);
        return { revision: account.revision, records, more: false, octets: 0, octets_limit: 0 };
      }
      case "POST /v1/vault":
        return this.#change(line, session, body as never);
      case "POST /v1/people":
        return this.#lookUp(body as never);
      case "POST /v1/people/prekeys": {
        const whose = this.#named(body.address as string);
        const prekeys = (body.devices as unknown as Uint8Array[]).map((device) => ({
          device,
          prekey: whose.prekeys.get(toHex(device))?.shift() ?? null,
        }));
        return { prekeys, work: null };
      }
      case "POST /v1/prekeys":
        return this.#publish(session, body as never);
      case "GET /v1/prekeys":
        return this.#published(session);
    }
    return undefined;
  }

  #endSession(session: Session, request: string): unknown {
    const id = request.slice("DELETE /v1/sessions/".length);
    const other = this.sessions.find((one) => toBase64url(one.id) === id && one.account === session.account);
    if (!other) throw new Refused("not_found", 404);
    other.ended = true;
    this.hangUp(other, 4001);
    return {};
  }

  #changes(account: Account, after: number): unknown {
    if (after > account.revision) throw new Refused("vault_old", 410);
    const records = [...account.vault.values()].filter((record) => record.revision > after);
    records.sort((a, b) => a.revision - b.revision);
    return { revision: account.revision, records, more: false, octets: 0, octets_limit: 0 };
  }

  #change(line: Line, session: Session, change: Changing): unknown {
    const { account } = session;
    const all = [...(change.put ?? []), ...(change.remove ?? [])] as (Sealed & { base: number })[];
    const stale = all.filter((one) => (account.vault.get(toHex(one.id))?.version ?? 0) !== one.base);
    if (stale.length > 0) throw new Refused("vault_conflict", 409, { ids: stale.map((one) => one.id) });
    account.revision += 1;
    for (const { id, base, data } of all)
      account.vault.set(toHex(id), { id, version: base + 1, revision: account.revision, data: data ?? null });
    this.tell(account, { kind: "vault", revision: account.revision }, undefined, session);
    if (change.done) settle(this, session, change.done);
    const left = (change.dispatches ?? []).map((one) => {
      const refused = line.turnAway();
      return refused ? { state: null, refused } : { state: dispatch(line, session, one), refused: null };
    });
    return { revision: account.revision, left };
  }

  #named(typed: string): Account {
    const [name, host] = typed.split("@");
    const account = host === this.host ? this.accounts.get(name!) : undefined;
    if (!account) throw new Refused("no_account", 404);
    return account;
  }

  #lookUp({ address: typed, size }: { address: string; size?: number }): unknown {
    const account = this.#named(typed);
    if (!account.entry) throw new Refused("no_account", 404);
    const proof = this.tree.prove(account.entry, size ?? 0);
    return { entry: account.entry, proof, bundles: [...account.bundles.values()] };
  }

  #publish(session: Session, { entry, bundle, one_time }: Record<string, never>): unknown {
    const { account } = session;
    if (entry) {
      const before = account.entry ? readEntry(account.entry).revision : 0;
      if (readEntry(entry).revision !== before + 1) throw new Refused("old_entry", 409);
      account.entry = entry;
      const listed = new Set(readEntry(entry).devices.map((device) => toHex(device.device)));
      for (const device of account.bundles.keys()) if (!listed.has(device)) account.bundles.delete(device);
      this.tree.leaves.push(entry);
    }
    if (bundle) {
      if (!account.entry) throw new Refused("bad_entry");
      readBundle(bundle, readEntry(account.entry));
      account.bundles.set(session.device!, bundle);
    }
    if (one_time) {
      const stock = account.prekeys.get(session.device!) ?? [];
      account.prekeys.set(session.device!, [...stock, ...(one_time as OneTimePrekey[])]);
    }
    return this.#published(session);
  }

  #published({ account, device }: Session): unknown {
    const entry = account.entry;
    const one_time = account.prekeys.get(device ?? "")?.length ?? 0;
    return { one_time, entry, proof: entry && this.tree.prove(entry, 0) };
  }

  /** A copy of a vault, to be put back later as a thief of time would. */
  copyVault(name: string): () => void {
    const account = this.accounts.get(name)!;
    const records = new Map([...account.vault].map(([id, record]) => [id, { ...record }]));
    const { revision } = account;
    return () => {
      account.vault = new Map(records);
      account.revision = revision;
    };
  }
}
