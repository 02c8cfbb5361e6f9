/** How the client is built, checked in tests and served while one works on it. */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";
import { devBox } from "./dev/plugin.ts";
import { precompress } from "./tools/precompress.ts";

const realBox = process.env["ISLAND"] !== undefined || process.env["ARCHIVE"] !== undefined;

export default defineConfig({
  plugins: [svelte(), svelteTesting(), devBox(), precompress()],
  build: {
    target: ["chrome123", "firefox128", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.txt" },
    reportCompressedSize: true,
    // What every page needs travels as one file: over Tor each request is felt.
    rolldownOptions: {
      // The box links the second one from the pages that it draws itself, for browsers without scripts.
      input: { index: "index.html", plain: "src/ui/plain.css" },
      output: {
        codeSplitting: {
          groups: [
            {
              name: "kit",
              test: /src\/(ui\/kit|state\/[^/]+\.ts|locales\/(en|format|index))|node_modules\/(svelte|lucide|esm-env|clsx)/,
            },
          ],
        },
      },
    },
  },
  test: {
    environment: "happy-dom",
    // Those of real boxes need one: tests/e2e/test_engine.py runs them with it.
    include: realBox ? ["tests/real/*.test.ts"] : ["tests/**/*.test.ts"],
    exclude: realBox ? [] : ["tests/real/**"],
    setupFiles: ["tests/setup.ts"],
    // A deadline is for what never comes: on a busy machine everything else may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
