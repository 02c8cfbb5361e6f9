import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { compress } from "../../tools/precompress.ts";

test("the same content gives the same bytes, without a time or a system", () => {
  const content = Buffer.from("sand, sea and night ".repeat(100));
  const packed = compress(content);
  expect(compress(content)).toEqual(packed);
  expect(gunzipSync(packed)).toEqual(content);
  expect([...packed.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
  expect(packed[9]).toBe(255);
});
