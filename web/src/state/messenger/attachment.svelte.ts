/** One attachment as the pages see it. */
import type * as Said from "../../protocol/content.ts";
import type { Refusal } from "../api.ts";
import type { Core } from "./core.ts";
import type { Attachment, AttachmentState } from "./types.ts";

/** Media types a page may show by itself; anything else is only saved. */
const SHOWN =
  /^(image\/(png|jpeg|gif|webp|avif)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/pdf|text\/plain)$/;

/** States in which a look at one's own copy changes nothing. */
const OWN: readonly AttachmentState[] = ["sending", "stopped", "needed", "elsewhere", "checking"];
const AFTER: Partial<Record<string, AttachmentState>> = { not_found: "missing", not_arrived: "arriving" };

export class AttachmentView implements Attachment {
  state = $state<AttachmentState>("remote");
  progress = $state(0);
  problem = $state<string | null>(null);
  #url: string | undefined;
  #loading: Promise<string> | undefined;
  #stop: AbortController | undefined;

  constructor(
    readonly content: Said.Attachment,
    readonly core: Core,
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
    const own = OWN.includes(this.state);
    if (!own) Object.assign(this, { state: "loading", progress: 0 });
    this.#stop = new AbortController();
    try {
      const pieces = await this.core.files.fetch(this, this.#stop.signal);
      if (!own) this.state = "ready";
      return this.keep(new Blob(pieces));
    } catch (error) {
      if (!own) this.state = AFTER[(error as Refusal).code] ?? "remote";
      throw error;
    }
  }

  cancel(): void {
    this.#stop?.abort();
  }

  goOn(): void {
    this.core.uploads.goOn(this.content);
  }

  choose(file: Blob): Promise<boolean> {
    return this.core.uploads.choose(this.content, file);
  }

  /** All of it is where it should be: with our box, and sent. */
  arrived(): void {
    if (this.state === "arriving" || this.state === "missing" || OWN.includes(this.state))
      this.state = this.#url ? "ready" : "remote";
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
