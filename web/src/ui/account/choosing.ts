/** From a file that a person chose to a picture as it may travel: a small square, and nothing but the image. */
import { readPicture, stripped } from "../../protocol/picture.ts";
import { isHonest } from "../kit/looking.ts";

/** Octets of a file that is looked into. */
const MAX_FILE = 20 * 1024 * 1024;
/** Pixels of the square. */
const SIDE = 128;
const QUALITIES = [0.8, 0.7, 0.6, 0.45, 0.3, 0.15, 0.05];

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
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const brush = canvas.getContext("2d");
  if (brush && isHonest(brush)) return drawn(image, canvas, brush);
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

async function drawn(
  image: ImageBitmap,
  canvas: HTMLCanvasElement,
  brush: CanvasRenderingContext2D,
): Promise<Uint8Array> {
  const side = Math.min(image.width, image.height);
  // What is transparent would be black.
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, SIDE, SIDE);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  image.close();
  for (const quality of QUALITIES) {
    const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", quality));
    const picture = blob && asItIs(new Uint8Array(await blob.arrayBuffer()));
    if (picture) return picture;
  }
  throw new Unfit("unreadable");
}
