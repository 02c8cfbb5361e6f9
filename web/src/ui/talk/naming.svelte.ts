/** Whom one is about to mention: the name begun behind an @ in a text, and those it may become. */

export interface Named {
  readonly name: string;
  readonly identity: string;
}

/** As the engine reads mentions (SPEC, "Channels"): nothing of a name or an address stands before the @. */
const BEGUN = /(?<![A-Za-z0-9_@.-])@([A-Za-z0-9._-]{0,32})$/;
const MOST = 6;

export class Naming {
  #found = $state.raw<readonly Named[]>([]);
  at = $state(0);
  #start = 0;
  #end = 0;

  constructor(private readonly people: () => readonly Named[]) {}

  get found(): readonly Named[] {
    return this.#found;
  }

  get chosen(): string {
    return this.#found[this.at]?.name ?? "";
  }

  /** Look at what stands before the caret. */
  look(text: string, caret: number): void {
    const begun = BEGUN.exec(text.slice(0, caret));
    if (!begun) return this.close();
    const part = begun[1]!.toLowerCase();
    this.#start = begun.index;
    this.#end = caret;
    this.at = 0;
    this.#found = this.people()
      .filter((one) => one.name.startsWith(part))
      .slice(0, MOST);
  }

  close(): void {
    this.#found = [];
  }

  /** The text with this name in place of its beginning, and where the caret goes. */
  written(text: string, name: string): [string, number] {
    const head = `${text.slice(0, this.#start)}@${name} `;
    return [head + text.slice(this.#end).replace(/^ /, ""), head.length];
  }

  /** Whether the key is the list's: arrows move in it, Enter and Tab take, Escape closes. */
  key(key: string): boolean {
    const n = this.#found.length;
    if (n === 0) return false;
    if (key === "ArrowDown") this.at = (this.at + 1) % n;
    else if (key === "ArrowUp") this.at = (this.at + n - 1) % n;
    else if (key === "Escape") this.close();
    else return key === "Enter" || key === "Tab";
    return true;
  }
}
