"""`app`: the GitHub App that the bot is."""

from gitops_sre.cli.app.command import app

__all__ = ["app"]
