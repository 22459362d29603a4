"""Use cases: each one public verb. Whoever opens a transaction here ends it."""
