/** Every test starts with an empty page, empty storage and no box. */
import { afterEach, beforeEach } from "vitest";

beforeEach(() => {
  localStorage.clear();
  location.hash = "";
});

afterEach(() => {
  document.body.replaceChildren();
});
