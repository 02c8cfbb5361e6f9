/** Every test starts with an empty page, empty storage and no box. */
import { configure } from "@testing-library/svelte";
import { beforeEach, vi } from "vitest";

configure({ asyncUtilTimeout: 60_000 });

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
  location.hash = "";
  vi.unstubAllGlobals();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("there is no box")));
});
