"""The on-call engineer that can only speak Git."""
