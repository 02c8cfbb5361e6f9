/** Codes in pictures, read in the page itself: alike in every browser, also where scripts are not compiled. */

/** Longer sides are made this long: a code fills a good part of its picture, and slow browsers look at every dot. */
const SIDE = 800;

type Picture = HTMLVideoElement | ImageBitmap;

/** Whether this browser shows pages what is in a picture; some that guard against fingerprints give out noise. */
function isHonest(brush: CanvasRenderingContext2D): boolean {
  brush.fillStyle = "#123456";
  brush.fillRect(0, 0, 8, 8);
  const { data } = brush.getImageData(0, 0, 8, 8);
  for (let at = 0; at < data.length; at += 4)
    if (data[at] !== 0x12 || data[at + 1] !== 0x34 || data[at + 2] !== 0x56) return false;
  return true;
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
