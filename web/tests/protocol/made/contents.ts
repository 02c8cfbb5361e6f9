/** Made for Python: one content of each kind. */
import { toHex } from "../../../src/protocol/bytes.ts";
import { sizeOf, writeContent, type Content } from "../../../src/protocol/content.ts";
import { hex, vectors } from "../../vectors.ts";
import { HOUR, ROUTES, own } from "./cast.ts";

const COMMON = { v: 1, id: own("content", 16), sent: HOUR * 3600 } as const;
const TARGET = own("target", 16);
const PICTURE = hex(vectors<{ pictures: { picture: string }[] }>("picture").pictures[2]!.picture);
const CONTENTS: Content[] = [
  { ...COMMON, kind: "text", text: "\u{1f41a} shells \u05e9\u05dc\u05d5\u05dd", reply: TARGET },
  { ...COMMON, kind: "text", text: "\u6c34".repeat(4600), timer: 86_400 },
  {
    ...COMMON,
    kind: "attachment",
    name: "chart of the bay.pdf",
    media: "application/pdf",
    size: 1_234_567,
    digest: own("digest"),
    key: own("key"),
    chunks: Array.from({ length: 80 }, (_, at) => own(`chunk ${at}`, 16)),
    text: "look",
    voice: { seconds: 0, peaks: own("peaks", 7) },
  },
  { ...COMMON, kind: "reaction", target: TARGET, emoji: "\u2764\ufe0f" },
  { ...COMMON, kind: "edit", target: TARGET, text: "" },
  { ...COMMON, kind: "delete", target: TARGET },
  { ...COMMON, kind: "receipt", what: "read", targets: [TARGET, own("other", 16)] },
  { ...COMMON, kind: "timer", seconds: 31_536_000, timer: 1 },
  { ...COMMON, kind: "routes", routes: ROUTES },
  { ...COMMON, kind: "profile", display: "Ann of the Bay" },
  { ...COMMON, kind: "profile", display: "", picture: PICTURE, zone: "America/Argentina/Buenos_Aires" },
  { ...COMMON, kind: "resync" },
  { ...COMMON, kind: "hello" },
  {
    ...COMMON,
    kind: "sender_key",
    channel: own("channel", 16),
    generation: 4_294_967_295,
    since: 3,
    signing: own("chain signing"),
    iteration: 999,
    key: own("chain key"),
    roster: { number: 4, hash: own("roster hash") },
    info_key: own("info key"),
  },
  { ...COMMON, kind: "sender_key_wanted", channel: own("channel", 16), chains: [own("chain", 16)] },
];

export function content() {
  return {
    contents: CONTENTS.map((each) => ({
      kind: each.kind,
      payload: toHex(writeContent(each)),
      small: sizeOf(each) === "small",
    })),
  };
}
