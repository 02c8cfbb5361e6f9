/** Starts the client: language first, then the page. */
import { mount, unmount } from "svelte";
import { language } from "./state/language.ts";
import App from "./ui/App.svelte";

const target = document.getElementById("app");
let page: object | undefined;

async function draw(): Promise<void> {
  if (page) await unmount(page);
  if (target) page = mount(App, { target });
}

await language.start(() => void draw());
await draw();
