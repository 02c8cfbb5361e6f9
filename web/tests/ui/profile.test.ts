/** One's own profile, and what the profiles of others change in what one sees. */
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, expect, test } from "vitest";
import { account, channels, messenger } from "../../dev/engine.ts";
import { timeIn } from "../../src/locales/format.ts";
import { zone } from "../../src/locales/zone.svelte.ts";
import { clock } from "../../src/state/clock.svelte.ts";
import { route } from "../../src/state/route.svelte.ts";
import { toasts } from "../../src/state/toasts.svelte.ts";
import Shell from "../../src/ui/Shell.svelte";
import { hex, vectors } from "../vectors.ts";

const PICTURE = hex(vectors<{ pictures: { picture: string }[] }>("picture").pictures[0]!.picture);
const TOO_LARGE = 20 * 1024 * 1024 + 1;

beforeEach(() => {
  messenger.reset();
  channels.reset(new URLSearchParams("empty"));
  account.standing = "in";
});
afterEach(() => {
  cleanup();
  route.stop();
  zone.use("");
  for (const toast of toasts.list) toasts.close(toast.id);
});

function show(hash: string): HTMLElement {
  location.hash = hash;
  route.start();
  return render(Shell).container;
}

const pictures = (page: HTMLElement): Element[] => [...page.querySelectorAll("img[src^='data:image/jpeg']")];

test("a picture stands wherever the drawn island stood, and goes again", async () => {
  const page = show("#/account/profile");
  await screen.findByRole("button", { name: "Choose a picture" });
  expect(pictures(page)).toEqual([]);
  await messenger.changeProfile({ picture: PICTURE });
  await waitFor(() => expect(pictures(page).length).toBe(2));
  expect(pictures(page).every((one) => one.getAttribute("alt") === "")).toBe(true);
  await fireEvent.click(screen.getByRole("button", { name: "Remove picture" }));
  await waitFor(() => expect(pictures(page)).toEqual([]));
  expect(toasts.list.map(({ text }) => text)).toEqual(["The picture was removed."]);
  expect(screen.queryByRole("button", { name: "Remove picture" })).toBeNull();
  toasts.act(toasts.list[0]!);
  await waitFor(() => expect(pictures(page).length).toBe(2));
});

test("a file that is too large is refused in words before anything looks into it", async () => {
  show("#/account/profile");
  const input = await screen.findByLabelText<HTMLInputElement>("Choose a picture", { selector: "input" });
  const file = new File([], "photo.jpg", { type: "image/jpeg" });
  Object.defineProperty(file, "size", { value: TOO_LARGE });
  await fireEvent.change(input, { target: { files: [file] } });
  expect(await screen.findByText(/more than 20 MB/)).toBeTruthy();
  expect(messenger.me!.picture).toBe("");
});

test("the zone is chosen first, and told only then", async () => {
  show("#/account/profile");
  const choice = await screen.findByRole<HTMLSelectElement>("combobox", { name: "Times are shown in" });
  const tell = screen.getByRole<HTMLInputElement>("switch", { name: /Show my time zone/ });
  expect(tell.disabled).toBe(true);
  expect(choice.selectedOptions[0]!.textContent).toMatch(/^The browser’s \(.+\)$/);
  await messenger.changeProfile({ zone: "Asia/Tokyo" });
  await waitFor(() => expect(tell.disabled).toBe(false));
  expect(choice.value).toBe("Asia/Tokyo");
  await fireEvent.click(tell);
  await waitFor(() => expect(messenger.settings.zone).toBe(true));
});

test("what time it is for somebody stands in their conversation, unless it is the same as here", async () => {
  const noura = messenger.all.find((one) => one.name === "noura")!;
  show(`#/messages/${noura.id}`);
  const words = `${timeIn("Asia/Kathmandu", clock.now)} for them`;
  expect(await screen.findByText(words, { exact: false })).toBeTruthy();
  zone.use("Asia/Kathmandu");
  await waitFor(() => expect(screen.queryByText(/for them/)).toBeNull());
});
