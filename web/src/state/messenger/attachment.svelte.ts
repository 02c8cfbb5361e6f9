/** One attachment as the pages see it. */
import type * as Said from "../../protocol/content.ts";
import type { Attachment } from "./types.ts";

/** Media types a page may show by itself; anything else is only saved. */
const SHOWN =
  /^(image\/(png|jpeg|gif|webp|avif)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/pdf|text\/plain)$/;

export class AttachmentView implements Attachment {
  state = $state<Attachment["state"]>("remote");
  progress = $state(0);
  #url: string | undefined;
  #loading: Promise<string> | undefined;

  constructor(
    readonly content: Said.Attachment,
    readonly fetch: (view: AttachmentView) => Promise<Uint8Array<ArrayBuffer>[]>,
  ) {}

  get name(): string {
    return this.content.name;
  }
  get media(): string {
    return this.content.media;
  }
  get size(): number {
    return this.content.size;
  }
  get voice(): Attachment["voice"] {
    return this.content.voice ?? null;
  }

  url(): Promise<string> {
    if (this.#url) return Promise.resolve(this.#url);
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #load(): Promise<string> {
    const sending = this.state === "sending";
    if (!sending) this.state = "loading";
    try {
      const pieces = await this.fetch(this);
      if (!sending) this.state = "ready";
      return this.keep(new Blob(pieces));
    } catch (error) {
      if (!sending) this.state = (error as { code?: string }).code === "not_found" ? "missing" : "remote";
      throw error;
    }
  }

  /** The content is here already. */
  keep(blob: Blob): string {
    this.release();
    const type = SHOWN.test(this.media) ? this.media : "application/octet-stream";
    this.#url = URL.createObjectURL(blob.slice(0, blob.size, type));
    return this.#url;
  }

  release(): void {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }
}
