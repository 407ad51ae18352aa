"""What the bot remembers between passes, in a database."""

from gitops_sre.adapters.store.sql import DELIVERY_MEMORY, GENESIS, SqlStore, digest

__all__ = ["DELIVERY_MEMORY", "GENESIS", "SqlStore", "digest"]
