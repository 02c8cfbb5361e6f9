/** Voice messages as a person hears them: decoded in the page, played and sought by keyboard. */
import { until } from "./page.mjs";

/** @typedef {import("puppeteer-core").Page} Page */
/** @typedef {{seconds: number, told: number, loudness: number, pitch: number, peaks: number, tallest: number}} Heard */

/** Wait until a recording has so many seconds: a page that is busy may never be looked at just then.
 * @param {Page} page @param {number} seconds */
export async function lasts(page, seconds) {
  await until(
    page,
    `${seconds} seconds`,
    (wanted) => {
      const [minutes = 0, rest = 0] =
        document.querySelector("[role=timer]")?.textContent?.match(/\d+/g)?.map(Number) ?? [];
      return minutes * 60 + rest >= wanted;
    },
    seconds,
  );
}

/** Wait for the newest voice of the other side. @param {Page} page */
export async function there(page) {
  await until(
    page,
    "a voice",
    () => document.querySelector("main ol li:last-child .message:not(.mine) .voice"),
    null,
  );
}

/** What the newest voice sounds like: decoded, not only played. @param {Page} page @returns {Promise<Heard>} */
export async function decoded(page) {
  await page.evaluate(() => {
    const make = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => {
      /** @type {any} */ (window)["voice"] = blob;
      URL.createObjectURL = make;
      return make(blob);
    };
  });
  await page.evaluate(() => {
    const [last] = [...document.querySelectorAll(".message:not(.mine) .voice")].slice(-1);
    /** @type {HTMLElement | undefined} */ (last?.querySelector('[aria-label="Play"]') ?? undefined)?.click();
  });
  await until(page, "the sound", () => /** @type {any} */ (window)["voice"], null);
  return page.evaluate(async () => {
    const blob = /** @type {Blob} */ (/** @type {any} */ (window)["voice"]);
    const context = new OfflineAudioContext(1, 48_000, 48_000);
    const whole = await context.decodeAudioData(await blob.arrayBuffer());
    const wave = whole.getChannelData(0);
    // The middle second: how loud, and how often it crosses zero upwards.
    const from = Math.max(0, Math.floor(wave.length / 2 - whole.sampleRate / 2));
    const middle = wave.subarray(from, from + whole.sampleRate);
    const loudness = Math.sqrt(middle.reduce((sum, one) => sum + one * one, 0) / middle.length);
    let best = 0;
    let pitch = 0;
    for (let hertz = 60; hertz < 2_000; hertz += 5) {
      let real = 0;
      let imaginary = 0;
      for (let at = 0; at < middle.length; at += 2) {
        const angle = (2 * Math.PI * hertz * at) / whole.sampleRate;
        const value = middle[at] ?? 0;
        real += value * Math.cos(angle);
        imaginary += value * Math.sin(angle);
      }
      const power = real * real + imaginary * imaginary;
      if (power > best) [best, pitch] = [power, hertz];
    }
    const group = [...document.querySelectorAll(".message:not(.mine) .voice")].at(-1);
    const bars = [...(group?.querySelectorAll("rect") ?? [])].map((one) =>
      Number(one.getAttribute("height")),
    );
    const [minutes = 0, seconds = 0] =
      (group?.getAttribute("aria-label") ?? "").match(/\d+/g)?.map(Number) ?? [];
    return {
      seconds: whole.duration,
      told: minutes * 60 + seconds,
      loudness,
      pitch,
      peaks: bars.length,
      tallest: Math.max(0, ...bars),
    };
  });
}

/** Seek and pause by keyboard; what went wrong. @param {Page} page @returns {Promise<string[]>} */
export async function keys(page) {
  const slider = '.message:not(.mine) .voice [role="slider"]';
  const value = () => page.$$eval(slider, (all) => Number(all.at(-1)?.getAttribute("aria-valuenow")));
  await until(
    page,
    "the end of the voice",
    () => !document.querySelector('.voice [aria-label="Pause"]'),
    null,
  );
  const [knob] = (await page.$$(slider)).slice(-1);
  if (!knob) return ["a voice cannot be sought by keyboard"];
  await knob.focus();
  await page.keyboard.press("End");
  const end = await value();
  await page.keyboard.press("Home");
  const home = await value();
  await page.keyboard.press("ArrowRight");
  const right = await value();
  await page.keyboard.press("Home");
  // It may be over before one looks.
  await page.evaluate(() => {
    const told = new MutationObserver(() => {
      if (document.querySelector('.voice [aria-label="Pause"]'))
        document.documentElement.dataset["played"] = "";
    });
    told.observe(document.body, { subtree: true, attributes: true, childList: true });
    delete document.documentElement.dataset["played"];
  });
  await page.keyboard.press(" ");
  await until(page, "it to play", () => "played" in document.documentElement.dataset, null);
  await page.keyboard.press(" ");
  await until(page, "it to pause", () => !document.querySelector('.voice [aria-label="Pause"]'), null);
  return end > right && right > home && home === 0 ? [] : [`seeking went to ${home}, ${right}, ${end}`];
}
