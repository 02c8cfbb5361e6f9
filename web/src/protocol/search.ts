/** What a search of the boards finds, as the box says it. As `appliance/protocol/search.py` has it. */

/** A post that was found: where it is, and some words of it, as the box says. */
export interface Hit {
  board: Uint8Array;
  thread: Uint8Array;
  id: Uint8Array;
  number: number;
  subject: string;
  name: string;
  hour: number;
  excerpt: string;
}

/** What a search found, the best first. `behind` entries wait to be indexed; `partial`: too slow. */
export interface Hits {
  hits: Hit[];
  behind: number;
  partial: boolean;
}
