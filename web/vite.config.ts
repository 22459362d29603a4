import { defineConfig } from "vite";

export default defineConfig({
  // The API serves the folder at /static and index.html at /wall and /wall/{region}.
  base: "/static/",
  publicDir: "public",
  build: {
    outDir: "../app/static",
    emptyOutDir: true,
    assetsDir: "assets",
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
