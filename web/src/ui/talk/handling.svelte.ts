/** What one is about to do with a message: answer, change, react to or delete it, by buttons and by keys. */
import type { Said } from "./said.ts";

export class Handling<M extends Said> {
  reply = $state.raw<M>();
  editing = $state.raw<M>();
  removing = $state.raw<M>();
  /** Id of the message for which a sign is being chosen. */
  picking = $state("");

  /** `focus` goes to the field to write in. */
  constructor(private readonly focus: () => void) {}

  readonly answer = (message: M): void => {
    this.editing = undefined;
    this.reply = message;
    this.focus();
  };

  readonly edit = (message: M | undefined): void => {
    if (!message) return;
    this.reply = undefined;
    this.editing = message;
    this.focus();
  };

  /** Keys on a message that can be read: r answers, + reacts, e changes one's own, Delete deletes. */
  key(event: KeyboardEvent, message: M, may: { write: boolean; remove: boolean }): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = message.mine && message.kind === "text";
    const action = {
      r: may.write && (() => this.answer(message)),
      "+": may.write && (() => (this.picking = message.id)),
      e: may.write && own && (() => this.edit(message)),
      Delete: may.remove && (() => (this.removing = message)),
      Escape: this.focus,
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}
