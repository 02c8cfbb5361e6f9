/** What people show of themselves: one's own profile as contacts are told it, and the pictures of others. */
import { SvelteMap } from "svelte/reactivity";
import { equal, toHex } from "../../protocol/bytes.ts";
import { writeContent, type Profile } from "../../protocol/content.ts";
import { hash } from "../../protocol/keys.ts";
import { dataUrl } from "../../protocol/picture.ts";
import type { Core } from "./core.ts";
import type { Batch } from "./ledger.ts";
import { names, type AccountRecord, type PersonRecord, type PictureRecord } from "./records.ts";
import type { ProfileChange } from "./types.ts";

const NONE = new Uint8Array();

/** What a profile says. */
export type Shown = Pick<Profile, "display" | "picture" | "zone">;

export class Appearance {
  /** Pictures that were read, by whom they show, as data: addresses. */
  readonly #pictures = new SvelteMap<string, { mark: string; url: string | undefined }>();
  /** Marks of pictures to be read together. */
  readonly #wanted = new Map<string, string>();
  #reading = false;

  constructor(readonly core: Core) {}

  /** What becomes another when the profile does. */
  marks(): [display: string, picture: Uint8Array, zone: string] {
    const { display, picture = NONE, zone = "", settings } = this.core.account();
    return [display, picture, settings.zone ? zone : ""];
  }

  /** One's own profile as it is told. */
  async shown(): Promise<Shown> {
    const [display, mark, zone] = this.marks();
    const picture = mark.length > 0 ? await this.read(toHex(this.core.identity())) : undefined;
    return { display, picture, zone: zone || undefined };
  }

  /** Change one's own, and tell it; Refusal bad_message. */
  async change({ picture, ...words }: ProfileChange): Promise<void> {
    const { display = "", zone } = words;
    const said = { display, picture: picture ?? undefined, zone: zone || undefined };
    // What nobody could read is not kept either.
    writeContent({ v: 1, id: new Uint8Array(16), kind: "profile", sent: 0, ...said });
    const look = picture === undefined ? {} : { picture: markOf(picture) };
    await this.core.ledger.run((batch) => {
      batch.change<AccountRecord>(names.account, (now) => now && { ...now, ...words, ...look });
      if (picture !== undefined) put(batch, toHex(this.core.identity()), picture);
      batch.after.push(() => this.core.stage.changed());
    });
    this.core.routes.look();
  }

  /** A contact shows this of themselves. */
  async take(batch: Batch, conversation: string, { display, picture, zone = "" }: Profile): Promise<void> {
    const before = await batch.read<PersonRecord>(names.person(conversation));
    const mark = markOf(picture);
    batch.change<PersonRecord>(
      names.person(conversation),
      (now) => now && { ...now, display, picture: mark, zone },
    );
    if (!equal(before?.picture ?? NONE, mark)) put(batch, conversation, picture);
    batch.after.push(() => this.core.chats.get(conversation)?.refresh());
  }

  /** The picture of somebody as the vault has it. */
  async read(id: string): Promise<Uint8Array | undefined> {
    const [record] = (await this.core.vault.read([names.picture(id)])) as unknown as [
      PictureRecord | undefined,
    ];
    return record?.picture;
  }

  /** The picture with this mark as a data: address; another one, or none, until it is read. */
  picture(id: string, mark: string): string | undefined {
    const known = this.#pictures.get(id);
    if (known?.mark !== mark) this.#want(id, mark);
    return known?.url;
  }

  /** All that a page shows are read in one request, and none before the sign-in is done: over Tor they take a while. */
  #want(id: string, mark: string): void {
    this.#wanted.set(id, mark);
    if (this.#reading) return;
    this.#reading = true;
    const { ledger } = this.core;
    void ledger.begun.then(() => this.core.steady(() => this.#readWanted())).catch(() => undefined);
  }

  async #readWanted(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#wanted.size > 0) {
        const wanted = [...this.#wanted];
        const values = await this.core.vault.read(wanted.map(([id]) => names.picture(id)));
        for (const [at, [id, mark]] of wanted.entries()) {
          const { picture } = (values[at] ?? {}) as unknown as Partial<PictureRecord>;
          if (this.#wanted.get(id) === mark) this.#wanted.delete(id);
          this.#pictures.set(id, { mark, url: picture && dataUrl(picture) });
        }
      }
    } finally {
      this.#reading = false;
    }
  }
}

/** What tells a picture from others; empty for none. */
function markOf(picture: Uint8Array | null | undefined): Uint8Array {
  return picture ? hash(picture).slice(0, 8) : NONE;
}

function put(batch: Batch, id: string, picture: Uint8Array | null | undefined): void {
  batch.change<PictureRecord>(names.picture(id), () => (picture ? { v: 1, picture } : undefined));
}
