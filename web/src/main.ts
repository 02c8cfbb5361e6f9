/** Starts the client: language first, then the page. */
import { mount } from "svelte";
import { speak } from "./locales/index.ts";
import App from "./ui/App.svelte";

await speak(navigator.languages);
const target = document.getElementById("app");
if (target) mount(App, { target });
