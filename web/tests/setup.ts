/** Every test starts with an empty page, empty storage and no box. */
import { beforeEach, vi } from "vitest";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
  location.hash = "";
  vi.unstubAllGlobals();
});
