"""`policy`: check policies, test them, ask why, and try them on the past."""

from gitops_sre.cli.policy.command import policy

__all__ = ["policy"]
