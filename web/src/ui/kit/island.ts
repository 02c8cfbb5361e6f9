/** The picture of a key: sky, sun, two hills and a sea, chosen by the bytes of an onion address. */
import { fromBase32 } from "../../protocol/base32.ts";

export interface Island {
  sky: string;
  sun: string;
  sunX: number;
  sunY: number;
  sunR: number;
  farHill: string;
  nearHill: string;
  sea: string;
  foam: string;
  far: string;
  near: string;
  wave: string;
}

/** Draw the island of `address`; text that is no address gets one all the same. */
export function islandOf(address: string): Island {
  const bytes = bytesOf(address);
  const byte = (index: number): number => bytes[index % bytes.length]!;
  const within = (index: number, low: number, high: number): number =>
    low + (byte(index) / 255) * (high - low);
  const sky = within(0, 0, 360);
  const land = within(1, 20, 160);
  const sea = within(2, 165, 250);
  return {
    sky: hsl(sky, 48, 78),
    sun: hsl(within(3, 20, 55), 85, within(4, 70, 92)),
    sunX: round(within(5, 8, 32)),
    sunY: round(within(6, 6, 16)),
    sunR: round(within(7, 3, 5.5)),
    farHill: hsl(land + 20, 24, 58),
    nearHill: hsl(land, 30, within(8, 32, 44)),
    sea: hsl(sea, 46, 42),
    foam: hsl(sea, 45, 74),
    far: hill(within(9, 4, 30), within(10, 14, 22), within(11, 10, 18)),
    near: hill(within(12, 6, 34), within(13, 12, 20), within(14, 7, 14)),
    wave: `M${round(within(15, 2, 10))} 34.5q3-2.4 6 0t6 0 6 0`,
  };
}

/** The bytes of an identity key in hex, of an onion address, or of any other text. */
function bytesOf(key: string): Uint8Array {
  if (/^(?:[0-9a-f]{2}){16,}$/.test(key))
    return Uint8Array.from(key.match(/../g)!, (pair) => parseInt(pair, 16));
  return fromBase32(key.replace(/\.onion$/, "")) ?? new TextEncoder().encode(key.padEnd(16, "."));
}

function hill(centre: number, top: number, reach: number): string {
  const [left, right] = [round(centre - reach), round(centre + reach)];
  return `M${left} 30Q${round(centre - reach / 2)} ${round(top)} ${round(centre)} ${round(top)}T${right} 30z`;
}

function hsl(hue: number, saturation: number, light: number): string {
  return `hsl(${Math.round(hue % 360)} ${Math.round(saturation)}% ${Math.round(light)}%)`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
