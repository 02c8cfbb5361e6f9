/** Vite's development server with a fake box behind it: `npm run dev`, and `ISLAND_FAKE=new npm run dev`. */
import type { Plugin } from "vite";
import { FakeBox } from "./box.mjs";
import { serveApi, wishes } from "./http.mjs";

/** The plugin; it does nothing in a build. */
export function devBox(): Plugin {
  return {
    name: "dev-box",
    apply: "serve",
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
