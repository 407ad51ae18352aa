"""The outside world: one module a client, each the only importer of it; adapters know nothing of each other."""
