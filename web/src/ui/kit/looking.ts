/** Codes in pictures, read in the page itself: alike in every browser, also where scripts are not compiled. */

/** Longer sides are made this long: a code fills a good part of its picture, and slow browsers look at every dot. */
const SIDE = 800;

type Picture = HTMLVideoElement | ImageBitmap;

/** How far each part of a colour may be off: some browsers change a little of what every page sees. */
const NOISE = 4;

/** Whether this browser shows pages what is in a picture; some that guard against fingerprints give out noise. */
export function isHonest(brush: CanvasRenderingContext2D): boolean {
  const colour = [0x12, 0x34, 0x56];
  brush.fillStyle = "#123456";
  brush.fillRect(0, 0, 8, 8);
  const { data } = brush.getImageData(0, 0, 8, 8);
  return data.every((part, at) => at % 4 === 3 || Math.abs(part - colour[at % 4]!) <= NOISE);
}

export type Look = (picture: Picture) => string | undefined;

/** The eye, loaded when it is needed; undefined where the browser does not let pages see pictures. */
export async function openEye(): Promise<Look | undefined> {
  const { decodeQR } = await import("qr/decode.js");
  const canvas = document.createElement("canvas");
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  if (!brush || !isHonest(brush)) return undefined;
  return (picture) => {
    const [width, height] =
      "videoWidth" in picture ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
    if (width === 0 || height === 0) return undefined;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    // What is seen through is paper.
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    try {
      return decodeQR(brush.getImageData(0, 0, canvas.width, canvas.height));
    } catch {
      return undefined;
    }
  };
}
