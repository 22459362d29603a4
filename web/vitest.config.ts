import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "happy-dom",
    include: ["tests/**/*.test.{ts,tsx}"],
    // Two workers: tests share the machine with a database and a browser.
    maxWorkers: 2,
    sequence: { shuffle: true },
  },
});
