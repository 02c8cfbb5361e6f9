/** Whether posts are whose they say: each signature, board, box and identity is checked before a word is shown (SPEC.md, "Boards"). */
import {
  digestSigned,
  parseSigned,
  type BoardValue,
  type HeldEntry,
  type Opened,
  type Post as Signed,
  type PostView,
} from "../../protocol/board.ts";
import { toBase64url } from "../../protocol/base64url.ts";
import { equal, toHex } from "../../protocol/bytes.ts";
import { verifyAll, type Claim } from "../../protocol/manySignatures.ts";
import { address } from "../../protocol/onion.ts";
import { readEntry } from "../../protocol/prekeys.ts";
import type { Ground } from "./ground.ts";

/**
 * signed: by its author · former: by somebody who has no account here any more · vouched: by the box in the author's
 * name · false: not genuine, nothing of it is shown · "": removed, there is nothing to check.
 */
export type Proof = "signed" | "former" | "vouched" | "false" | "";

/** A post as it is shown. */
export interface Shown {
  readonly id: string;
  readonly number: number;
  readonly hour: number;
  readonly sent: number;
  readonly name: string;
  readonly subject: string;
  readonly body: string;
  /** The id of the post it answers, or "". */
  readonly reply: string;
  readonly edits: number;
  readonly own: boolean;
  readonly removed: PostView["removed"];
  readonly proof: Proof;
  /** Its newest signed version: what an edit of it names. */
  readonly newest: Uint8Array | null;
  /** On its way to the box. */
  readonly sending?: boolean;
}

/** One version of a post, the first one first. */
export interface Version {
  readonly sent: number;
  readonly subject: string;
  readonly body: string;
  readonly proof: Proof;
}

/** What waits for a moderator. */
export interface HeldPost extends Pick<Shown, "id" | "name" | "subject" | "body" | "own" | "proof"> {}

/** Verified at once before others get a turn: without JIT each takes some hundredths of a second. */
const TOGETHER = 8;

export class Judge {
  readonly #identities = new Map<string, Uint8Array>();
  /** Authors' entries that were read: the same few come with every page. */
  readonly #entries = new Set<string>();

  readonly #host: string;

  /** Of boards whose home has the key `home`: that of this box, or of another one. */
  constructor(
    readonly ground: Ground,
    readonly home: Uint8Array = ground.onion,
  ) {
    this.#host = address(home);
  }

  /** What somebody's picture is drawn from: the identity, where it is known, as everywhere else. */
  faceOf(name: string): string {
    const identity = this.ground.known(this.#host).get(name) ?? this.#identities.get(name);
    return identity ? toHex(identity) : name;
  }

  /** Posts of a thread as they may be shown. */
  async posts(
    board: Uint8Array,
    thread: Uint8Array,
    views: readonly PostView[],
    authors: readonly Uint8Array[],
  ): Promise<Shown[]> {
    const identities = this.#learn(authors);
    const opened = await openAll(views.flatMap((one) => [one.post, one.edit]));
    return views.map((view, at) => {
      const [first, second] = [opened[2 * at], opened[2 * at + 1]];
      if (!view.post) return blank(view, "");
      const post = first && this.#own(first, board, identities);
      if (!first || post?.kind !== "post" || !equal(post.id, view.id)) return blank(view, "false");
      if (!equal(post.thread ?? post.id, thread)) return blank(view, "false");
      if (!view.edit) return shown(view, first, post, proofOf(first, identities));
      const edit = second && this.#own(second, board, identities);
      if (edit?.kind !== "edit" || !equal(edit.target, post.id) || !isSame(edit, post))
        return blank(view, "false");
      return {
        ...shown(view, first, post, proofOf(first, identities)),
        subject: edit.subject ?? post.subject ?? "",
        body: edit.body,
        newest: view.edit,
      };
    });
  }

  /** All that a post has said; a version that does not follow the one before is false. */
  async versions(
    board: Uint8Array,
    id: Uint8Array,
    signed: readonly Uint8Array[],
    authors: readonly Uint8Array[],
  ): Promise<Version[]> {
    const identities = this.#learn(authors);
    const opened = await openAll(signed);
    let first: BoardValue | undefined;
    return opened.map((one, at) => {
      const value = one && this.#own(one, board, identities);
      const bad: Version = { sent: value?.sent ?? 0, subject: "", body: "", proof: "false" };
      if (!one || !value) return bad;
      if (at === 0) {
        if (value.kind !== "post" || !equal(value.id, id)) return bad;
        first = value;
        const { sent, subject = "", body } = value;
        return { sent, subject, body, proof: proofOf(one, identities) };
      }
      if (value.kind !== "edit" || !first || !equal(value.target, id) || !isSame(value, first)) return bad;
      if (!equal(value.previous, digestSigned(signed[at - 1]!))) return bad;
      const { sent, subject = "", body } = value;
      return { sent, subject, body, proof: proofOf(one, identities) };
    });
  }

  /** What waits for a moderator: posts and changes of posts. */
  async held(
    board: Uint8Array,
    entries: readonly HeldEntry[],
    authors: readonly Uint8Array[],
  ): Promise<HeldPost[]> {
    const identities = this.#learn(authors);
    const opened = await openAll(entries.map((one) => one.signed));
    return entries.map(({ id, own }, at) => {
      const one = opened[at];
      const value = one && this.#own(one, board, identities);
      const told = { id: toBase64url(id), own };
      if (!one || !value || !("body" in value) || !equal(value.id, id))
        return { ...told, name: "", subject: "", body: "", proof: "false" };
      const { name, subject = "", body } = value;
      return { ...told, name, subject, body, proof: proofOf(one, identities) };
    });
  }

  /** Whose identity is which: as the box's signed entries say, unless this account knows better. */
  #learn(authors: readonly Uint8Array[]): ReadonlyMap<string, Uint8Array> {
    for (const signed of authors) {
      const key = toBase64url(signed);
      if (this.#entries.has(key)) continue;
      try {
        const entry = readEntry(signed);
        if (equal(entry.onion, this.home)) this.#identities.set(entry.name, entry.identity);
        this.#entries.add(key);
      } catch {
        // Not an entry: whoever it was meant for is known by nothing.
      }
    }
    return new Map([...this.#identities, ...this.ground.known(this.#host)]);
  }

  /** A value of this board and its home, under the identity that its name has. */
  #own(
    { value, vouched }: Opened,
    board: Uint8Array,
    identities: ReadonlyMap<string, Uint8Array>,
  ): BoardValue | undefined {
    if (!equal(value.board, board) || !equal(value.onion, this.home)) return undefined;
    const known = identities.get(value.name);
    if (!vouched && known && !equal(known, value.identity!)) return undefined;
    return value;
  }
}

/** Signed values whose signature is good, each at its place; undefined for the others. */
async function openAll(all: readonly (Uint8Array | null)[]): Promise<(Opened | undefined)[]> {
  const parsed = all.map(parse);
  const found: (Opened | undefined)[] = [];
  for (let at = 0; at < parsed.length; at += TOGETHER) {
    const some = parsed.slice(at, at + TOGETHER);
    const claims = some.flatMap((one) => (one ? [one.claim] : []));
    const good = await verifyAll(claims);
    let next = 0;
    for (const one of some) found.push(one && good[next++] ? one.opened : undefined);
    if (at + TOGETHER < parsed.length) await new Promise((turn) => setTimeout(turn));
  }
  return found;
}

function parse(signed: Uint8Array | null): { opened: Opened; claim: Claim } | undefined {
  if (!signed) return undefined;
  try {
    return parseSigned(signed);
  } catch {
    return undefined;
  }
}

function proofOf({ value, vouched }: Opened, identities: ReadonlyMap<string, Uint8Array>): Proof {
  if (vouched) return "vouched";
  return identities.has(value.name) ? "signed" : "former";
}

function isSame(a: BoardValue, b: BoardValue): boolean {
  if (a.name !== b.name) return false;
  return a.identity && b.identity ? equal(a.identity, b.identity) : a.identity === b.identity;
}

function shown(view: PostView, { value }: Opened, post: Signed, proof: Proof): Shown {
  return {
    ...blank(view, proof),
    sent: value.sent,
    name: value.name,
    subject: post.subject ?? "",
    body: post.body,
    reply: post.reply ? toBase64url(post.reply) : "",
    newest: view.post,
  };
}

/** A post without words: removed, or not genuine. */
function blank(view: PostView, proof: Proof): Shown {
  const { number, hour, edits, own, removed } = view;
  const nothing = { name: "", subject: "", body: "", reply: "", newest: null };
  return {
    id: toBase64url(view.id),
    ...{ number, hour, edits, own, removed, proof },
    sent: hour * 3600,
    ...nothing,
  };
}
