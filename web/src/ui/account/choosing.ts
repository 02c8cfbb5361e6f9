/** From a file that a person chose to a picture as it may travel: a small square, and nothing but the image. */
import { MAX_OCTETS, readPicture, stripped } from "../../protocol/picture.ts";

/** Octets of a file that is looked into. */
const MAX_FILE = 20 * 1024 * 1024;
/** Pixels of the square. */
const SIDE = 128;
const QUALITIES = [0.9, 0.8, 0.7, 0.55, 0.4, 0.25, 0.1];
/** What tells a canvas that can be read: four colours, and how far each channel may be off (some browsers add a little noise). */
const COLOURS = ["#f00000", "#00f000", "#0000f0", "#f0f0f0"];
const NOISE = 8;

/** large: more than is looked into; unreadable: no picture; closed: the browser lets no page read pictures back. */
export type Problem = "large" | "unreadable" | "closed";

/** Why a file cannot become one's picture. */
export class Unfit extends Error {
  constructor(readonly problem: Problem) {
    super(problem);
  }
}

/** The picture in a file: the middle of it, upright; a small JPEG as it is where the browser cannot make one. Rejects Unfit. */
export async function pictureIn(file: Blob): Promise<Uint8Array> {
  if (file.size > MAX_FILE) throw new Unfit("large");
  const image = await createImageBitmap(file).catch(() => {
    throw new Unfit("unreadable");
  });
  if (canRead()) return drawn(image);
  const small = asItIs(new Uint8Array(await file.arrayBuffer()));
  if (!small) throw new Unfit("closed");
  return small;
}

/** A file that may travel once it is stripped. */
function asItIs(file: Uint8Array): Uint8Array | undefined {
  try {
    const picture = stripped(file);
    readPicture(picture);
    return picture;
  } catch {
    return undefined;
  }
}

async function drawn(image: ImageBitmap): Promise<Uint8Array> {
  const { canvas, context } = square(SIDE);
  const side = Math.min(image.width, image.height);
  // What is transparent would be black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  image.close();
  for (const quality of QUALITIES) {
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", quality));
    const picture = blob && asItIs(new Uint8Array(await blob.arrayBuffer()));
    if (picture && picture.length <= MAX_OCTETS) return picture;
  }
  throw new Unfit("unreadable");
}

/** Whether a canvas gives back what was drawn: Tor Browser gives something else until the page is allowed to. */
function canRead(): boolean {
  const { context } = square(COLOURS.length);
  for (const [at, colour] of COLOURS.entries()) {
    context.fillStyle = colour;
    context.fillRect(at, 0, 1, COLOURS.length);
  }
  const { data } = context.getImageData(0, 0, COLOURS.length, COLOURS.length);
  return COLOURS.every((colour, at) =>
    [1, 3, 5].every((digit, channel) => {
      const wanted = parseInt(colour.slice(digit, digit + 2), 16);
      return Math.abs(data[4 * at + channel]! - wanted) <= NOISE;
    }),
  );
}

function square(side: number): { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D } {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  return { canvas, context: canvas.getContext("2d")! };
}
