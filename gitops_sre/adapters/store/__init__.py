"""What the bot remembers between passes, in a database."""

from gitops_sre.adapters.store.sql import DELIVERY_MEMORY, SqlStore

__all__ = ["DELIVERY_MEMORY", "SqlStore"]
