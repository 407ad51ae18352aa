"""Calling people through apprise: one process for each message, which knows nothing but that and its address."""

from gitops_sre.adapters.channels.parent import AppriseChannels

__all__ = ["AppriseChannels"]
