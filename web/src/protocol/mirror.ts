/** Mirrors: copies that a box keeps of boards of other boxes. As `appliance/protocol/mirror.py` has them. */

/** Ask the home of a room what the board is. */
export interface LookAtRoom {
  address: string;
}

/** What its home says of a board that may be mirrored. */
export interface RoomOffer {
  home: Uint8Array;
  room: Uint8Array;
  title: string;
  about: string;
  days: number;
  threads: number;
  posts: number;
}

/** Mirror a board of another box; the same again is answered alike. Bounds as of a board of one's own. */
export interface NewMirror {
  address: string;
  days?: number;
  most?: number;
  realtime?: boolean;
}

/**
 * How it goes with a mirror.
 *
 * `heard`: when its home answered last (Unix seconds; null: not since the box was started); `behind`: what is still to
 * be read; `skipped`: entries that were not genuine or did not fit; `problem`: the code of the refusal that the last
 * try ended with.
 */
export interface Mirror {
  board: Uint8Array;
  home: Uint8Array;
  heard: number | null;
  behind: number;
  skipped: number;
  problem: string | null;
}

/** All mirrors of the box. */
export interface Mirrors {
  mirrors: Mirror[];
}
