import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Tests of pages ask for happy-dom in their first line; the core needs no document.
    environment: "node",
    include: ["tests/**/*.test.{ts,tsx}"],
    // Two workers: tests share the machine with a database and a browser.
    maxWorkers: 2,
    sequence: { shuffle: true },
  },
});
