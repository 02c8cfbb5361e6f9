/**
 * Vite's development server with a fake box and a fake engine: `npm run dev`, and `ISLAND_FAKE=new npm run dev`.
 * The tests use the same engine, and so does `vite build --mode fake`.
 */
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { FakeBox } from "./box.mjs";
import { serveApi, wishes } from "./http.mjs";

const ENGINE = fileURLToPath(new URL("engine.ts", import.meta.url));
const GROUND = fileURLToPath(new URL("ground.ts", import.meta.url));

/** The plugin; it does nothing in a real build. */
export function devBox(): Plugin {
  return {
    name: "dev-box",
    enforce: "pre",
    apply: (_, { command, mode }) => command === "serve" || mode === "fake",
    resolveId(source) {
      if (source.endsWith("/boards/ground.ts")) return GROUND;
      return source.endsWith("/state/engine.ts") || source === "./engine.ts" ? ENGINE : null;
    },
    configureServer(server) {
      const box = new FakeBox(wishes(new URLSearchParams(process.env["ISLAND_FAKE"] ?? "")));
      void box.bootstrap(2_000);
      server.middlewares.use((request, response, next) => {
        if (request.url?.startsWith("/v1/")) void serveApi(box, request, response);
        else next();
      });
    },
  };
}
