/** Where a board is for other boxes: the key of its home, and its id (SPEC.md, "Rooms"). */
import { fromBase32, toBase32 } from "./base32.ts";
import { address, publicKey } from "./onion.ts";

export interface RoomAddress {
  readonly home: Uint8Array;
  readonly room: Uint8Array;
}

/** The line to hand over: "<onion address>/<id in base32>". */
export function writeRoom({ home, room }: RoomAddress): string {
  return `${address(home)}/${toBase32(room)}`;
}

/** The home and the room in such a line; undefined when it is none. */
export function readRoom(text: string): RoomAddress | undefined {
  const [host = "", id = "", ...rest] = text.replace(/\s+/g, "").toLowerCase().split("/");
  const home = publicKey(host);
  const room = fromBase32(id);
  return home && room?.length === 16 && rest.length === 0 ? { home, room } : undefined;
}
