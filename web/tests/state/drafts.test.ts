import { expect, test, vi } from "vitest";
import { Draft, forgetDrafts } from "../../src/state/drafts.svelte.ts";

test("typed text is there again after the page was closed", () => {
  new Draft("send.note").text = "The boat leaves";
  expect(new Draft("send.note").text).toBe("The boat leaves");
  expect(new Draft("send.to").text).toBe("");
});

test("sent text is forgotten, and sign-out forgets all drafts but nothing else", () => {
  const draft = new Draft("send.note");
  draft.text = "gone";
  draft.clear();
  expect(localStorage.length).toBe(0);
  new Draft("a").text = "1";
  localStorage.setItem("island.theme", "dark");
  forgetDrafts();
  expect(Object.keys(localStorage)).toEqual(["island.theme"]);
});

test("a browser without storage loses nothing while the page is open", () => {
  const refuse = (): never => {
    throw new DOMException("denied", "SecurityError");
  };
  vi.stubGlobal("localStorage", { getItem: refuse, setItem: refuse, removeItem: refuse });
  const draft = new Draft("send.note");
  draft.text = "still here";
  expect(draft.text).toBe("still here");
  expect(forgetDrafts).not.toThrow();
});
