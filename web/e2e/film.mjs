/** Codes as a camera sees them: turned a little, unevenly lit and grainy; as a film, or as a picture in a file. */
import { writeFileSync } from "node:fs";
import { encode } from "uqr";
import { until } from "./page.mjs";

const WIDTH = 640;
const HEIGHT = 480;
const FRAMES = 4;
const TURNED = (7 * Math.PI) / 180;
const GRAIN = 40;

/** @typedef {boolean[][]} Code rows of a code with its quiet zone, dark is true */

/** The code that a page shows. @param {import("puppeteer-core").Page} page @returns {Promise<Code>} */
export async function shown(page) {
  await until(page, "a code", () => document.querySelector(".qr svg path"), null);
  const { size, path } = await page.$eval(".qr svg", (one) => ({
    size: Number(one.getAttribute("viewBox")?.split(" ")[2]),
    path: one.querySelector("path")?.getAttribute("d") ?? "",
  }));
  const rows = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)/g))
    rows[Number(y)]?.fill(true, Number(x), Number(x) + Number(length));
  return rows;
}

/** A code that says `text`. @param {string} text @returns {Code} */
export function made(text) {
  return encode(text, { ecc: "L", border: 4 }).data;
}

/** What a camera sees of it: brightness, dot by dot. @param {Code} code */
function seen(code) {
  const dots = Buffer.alloc(WIDTH * HEIGHT);
  const dot = (HEIGHT * 0.8) / code.length;
  let chance = 1;
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const [across, down] = [x - WIDTH / 2, y - HEIGHT / 2];
      const column = Math.floor(
        (across * Math.cos(TURNED) + down * Math.sin(TURNED)) / dot + code.length / 2,
      );
      const row = Math.floor((down * Math.cos(TURNED) - across * Math.sin(TURNED)) / dot + code.length / 2);
      const cell = code[row]?.[column];
      chance = (chance * 1_103_515_245 + 12_345) % 2_147_483_648;
      const grain = (chance / 2_147_483_648 - 0.5) * GRAIN;
      const light = 0.75 + (0.25 * x) / WIDTH;
      const paper = cell === undefined ? 120 : cell ? 45 : 220;
      dots[y * WIDTH + x] = Math.max(0, Math.min(255, paper * light + grain));
    }
  return dots;
}

/** A film (Y4M) for the camera. @param {string} path @param {Code} code */
export function film(path, code) {
  const colours = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), seen(code), colours]);
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(path, Buffer.concat([head, ...Array.from({ length: FRAMES }, () => frame)]));
}

/** A picture (BMP) to be chosen. @param {string} path @param {Code} code */
export function picture(path, code) {
  const dots = seen(code);
  const head = Buffer.alloc(54);
  head.write("BM");
  head.writeUInt32LE(54 + dots.length * 3, 2);
  head.writeUInt32LE(54, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(WIDTH, 18);
  head.writeInt32LE(-HEIGHT, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(24, 28);
  const pixels = Buffer.alloc(dots.length * 3);
  for (const [at, bright] of dots.entries()) pixels.fill(bright, at * 3, at * 3 + 3);
  writeFileSync(path, Buffer.concat([head, pixels]));
}
