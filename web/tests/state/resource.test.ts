import { expect, test } from "vitest";
import { Refusal } from "../../src/state/api.ts";
import { Resource } from "../../src/state/resource.svelte.ts";

test("what was loaded stays while a newer one is on its way, and after a failure", async () => {
  let answer: () => Promise<number> = () => Promise.resolve(1);
  const resource = new Resource(() => answer());
  await resource.refresh();
  expect(resource.value).toBe(1);
  answer = () => Promise.reject(new Refusal("busy", "The box is busy.", 503));
  await resource.refresh();
  expect([resource.value, resource.problem]).toEqual([1, "The box is busy."]);
  answer = () => Promise.resolve(2);
  await resource.refresh();
  expect([resource.value, resource.problem]).toEqual([2, undefined]);
});

test("an answer that was overtaken is dropped", async () => {
  const waiting: ((value: string) => void)[] = [];
  const resource = new Resource(() => new Promise<string>((done) => waiting.push(done)));
  const first = resource.refresh();
  const second = resource.refresh();
  waiting[1]?.("new");
  waiting[0]?.("old");
  await Promise.all([first, second]);
  expect(resource.value).toBe("new");
});

test("what is shown at once wins over an older answer", async () => {
  let done: (value: string[]) => void = () => {};
  const resource = new Resource(() => new Promise<string[]>((resolve) => (done = resolve)));
  resource.set(["a", "b"]);
  const loading = resource.refresh();
  resource.change((all) => all.filter((one) => one !== "a"));
  done(["a", "b"]);
  await loading;
  expect(resource.value).toEqual(["b"]);
  resource.clear();
  resource.change(() => ["never"]);
  expect(resource.value).toBeUndefined();
});
