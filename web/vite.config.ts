import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** Puts the reader of the API's documents beside the pages: /docs takes nothing from outside. */
function swaggerUi(): Plugin {
  const folder: string = createRequire(import.meta.url)("swagger-ui-dist").absolutePath();
  return {
    name: "swagger-ui",
    apply: "build",
    generateBundle() {
      for (const name of ["swagger-ui-bundle.js", "swagger-ui.css"]) {
        const source = readFileSync(join(folder, name));
        this.emitFile({ type: "asset", fileName: `swagger/${name}`, source });
      }
    },
  };
}

export default defineConfig({
  // The API serves the folder at /static, index.html at /wall and /wall/{region}, docs.html at /docs.
  base: "/static/",
  publicDir: "public",
  plugins: [swaggerUi()],
  build: {
    outDir: "../app/static",
    emptyOutDir: true,
    assetsDir: "assets",
    rolldownOptions: { input: ["index.html", "docs.html"] },
    // Wall boxes run a Chromium of the last years; colour mixing and container units need 111.
    target: ["chrome111", "firefox113", "safari16.4"],
    // The polyfill is an inline script, which `script-src 'self'` would refuse.
    modulePreload: { polyfill: false },
    // No file is turned into a data: address, so that the policy needs no exception for one.
    assetsInlineLimit: 0,
    sourcemap: false,
  },
  server: {
    port: 5173,
    proxy: { "/v1": { target: "http://127.0.0.1:8765", ws: true } },
  },
});
