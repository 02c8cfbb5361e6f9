/** What is being written on a board: in this tab at every key stroke, in the vault a moment later, gone when it was posted. */
import type { BoardsDesk } from "../../state/boards/desk.svelte.ts";
import { withDraft } from "../../state/boards/marks.ts";
import { keepTyped, typedIn } from "../talk/typed.ts";

const PAUSE = 700;

export class Kept {
  #body = $state("");
  #subject = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `place` is the board, or board/thread. */
  constructor(
    readonly desk: BoardsDesk,
    readonly place: string,
  ) {
    const draft = desk.record.drafts[place];
    this.#body = typedIn(`boards/${place}`) || (draft?.body ?? "");
    this.#subject = typedIn(`boards/${place}/subject`) || (draft?.subject ?? "");
  }

  get body(): string {
    return this.#body;
  }
  set body(text: string) {
    this.#body = text;
    keepTyped(`boards/${this.place}`, text);
    this.#later();
  }

  get subject(): string {
    return this.#subject;
  }
  set subject(text: string) {
    this.#subject = text;
    keepTyped(`boards/${this.place}/subject`, text);
    this.#later();
  }

  clear(): void {
    this.body = "";
    this.subject = "";
    this.save();
  }

  /** To the vault now, not in a moment: the page goes elsewhere. */
  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const draft = { subject: this.#subject, body: this.#body };
    const before = this.desk.record.drafts[this.place];
    if ((before?.body ?? "") === draft.body && (before?.subject ?? "") === draft.subject) return;
    this.desk.change((now) => withDraft(now, this.place, draft));
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), PAUSE);
  }
}
